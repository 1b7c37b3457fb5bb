"""Real environments with a hurt interpreter: one code, laid anew in place, every package kept, and taken back again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.checks import examine
from clinic.errors import RefusedError
from clinic.facts import Interpreter
from clinic.flow.patient import judge
from clinic.flow.patient import patient as patient_of
from clinic.observe import observe
from tests.conftest import ROOT
from tests.real.conftest import Ward
from tests.real.creators import UV, VENV, VENV_COPIES, VIRTUALENV, VIRTUALENV_COPIES, Creator, bases, creators, uv
from tests.real.patients import Patient, effect, fingerprint, unrecorded
from tests.real.visits import Project, around, codes, hurt, name_of, summary, turns
from tests.real.wounding import Wound
from tests.real.wounds_of_interpreter import INTERPRETER_WOUNDS, names_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without an environment as yet."""
    return Project(tmp_path / "invoke.yaml")


def _by_name(name: str) -> Wound:
    return next(entry for entry in INTERPRETER_WOUNDS if entry.name == name)


def _share() -> list[tuple[Wound, Interpreter, Creator]]:
    """Every wound by every creator, interpreters taking turns."""
    pythons = bases()
    return [
        (wound, pythons[(number + turn) % len(pythons)], creator)
        for number, wound in enumerate(INTERPRETER_WOUNDS)
        for turn, creator in enumerate(creators())
    ]


@pytest.mark.parametrize(("wound", "base", "creator"), _share(), ids=name_of)
def test_a_wound_is_named_by_exactly_its_code(ward: Ward, wound: Wound, base: Interpreter, creator: Creator) -> None:
    patient = ward.patient(creator, base)
    if reason := wound.spared(patient):
        pytest.skip(reason)
    wound.inflict(patient)
    found = examine(observe(patient.venv))
    assert [(finding.code, finding.severity) for finding in found] == [(wound.code, wound.least(patient))]
    assert str(patient.venv) in found[0].evidence[0]
    assert found[0].cured_by == ("relink", "rebuild")


@pytest.mark.parametrize(("wound", "base", "creator"), turns(2, INTERPRETER_WOUNDS), ids=name_of)
def test_a_wound_is_cured_and_nothing_is_lost(
    ward: Ward, project: Project, wound: Wound, base: Interpreter, creator: Creator
) -> None:
    patient = hurt(ward, wound, base, creator)
    settings = around(project, patient).settings
    wounded, base_before = fingerprint(patient.venv), _of_base(base)
    who = patient_of(settings)
    told = judge(who, who.look())
    assert [option.id for option in told.options if option.recommended] == ["relink"]
    by_name = "" if told.sick else f" --only {wound.code}"
    assert told.next_actions[0].command == f"invoke heal --no-rebuild{by_name}"
    assert flow.relink(settings, dry_run=True).outcome == "planned"
    assert fingerprint(patient.venv) == wounded

    cured = flow.relink(settings)
    assert summary(cured) == ("cured", 0), cured
    assert (codes(cured.data["before"]), codes(cured.data["after"])) == ([wound.code], [])
    assert effect(patient).severity == "advice"
    assert all(_answer(name) == list(base.version[:2]) for name in names_in(patient))
    assert "team = bridge" in patient.lines
    healed = fingerprint(patient.venv)
    assert _packages(healed) == _packages(wounded)
    assert _of_base(base) == base_before

    assert summary(flow.diagnose(settings)) == ("healthy", 0)
    assert summary(flow.relink(settings)) == ("unchanged", 0)
    assert fingerprint(patient.venv) == healed

    assert flow.undo(settings, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded


def _packages(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less what relink may lay: names of the interpreter, its library, lib64 and the file."""
    laid = ("bin/python", "lib/libpython", "lib64", "pyvenv.cfg")
    return {name: what for name, what in found.items() if not name.startswith(laid)}


def _of_base(base: Interpreter) -> dict[str, tuple[int, int]]:
    """Sizes and times of the base's executables: links are replaced, never written through."""
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in base.real.parent.iterdir()}


def _answer(name: Path) -> list[int]:
    words: list[str | Path] = [name, "-I", "-B", "-c", "import sys; print(*sys.version_info[:2])"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("base", bases(), ids=name_of)
@pytest.mark.parametrize(
    "creator", [VENV, VENV_COPIES, VIRTUALENV, VIRTUALENV_COPIES, *([UV] if uv() else [])], ids=str
)
def test_what_is_laid_is_what_the_creator_laid(
    ward: Ward, project: Project, creator: Creator, base: Interpreter
) -> None:
    """Each name by itself, lost and laid again: the same kind, the same link, the same bytes."""
    patient = ward.patient(creator, base)
    before = {name: what[1] for name, what in fingerprint(patient.venv).items()}
    others = [path for path in names_in(patient) if path.name != "python"]
    for path in (patient.python, *others[:1]):
        path.unlink()
    cured = flow.relink(around(project, patient).settings)
    assert summary(cured) == ("cured", 0), cured
    after = {name: what[1] for name, what in fingerprint(patient.venv).items()}
    differ = {name for name in before if before[name] != after.get(name)}
    assert differ <= {path.relative_to(patient.venv).as_posix() for path in others[:1]}, "only how the base is spelled"
    for name in differ:
        assert Path(patient.venv, name).resolve() == base.real


@pytest.mark.parametrize("creator", [VENV, VENV_COPIES, VIRTUALENV, *([UV] if uv() else [])], ids=str)
def test_without_bin_it_is_relinked_as_its_creator_would(ward: Ward, project: Project, creator: Creator) -> None:
    """The creator is told by what else it left; the folder goes again when the repair is taken back."""
    base = next(each for each in reversed(bases()) if each.version >= (3, 11))
    patient = ward.patient(creator, base)
    names = {path.name for path in names_in(patient)}
    shutil.rmtree(patient.python.parent)
    wounded, settings = fingerprint(patient.venv), around(project, patient).settings
    told = judge(who := patient_of(settings), who.look())
    missed = [] if creator.family == "virtualenv" else ["activate-damaged"]
    assert [finding.code for finding in told.findings] == ["python-missing", *missed]
    assert summary(flow.relink(settings)) == ("cured", 0)
    assert effect(patient).severity == "advice"
    assert {path.name for path in names_in(patient)} >= names - {"\U0001d70bthon"}
    assert flow.undo(settings, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded


def test_only_what_is_lost_is_laid(ward: Ward, project: Project) -> None:
    patient = ward.patient(VIRTUALENV, bases()[-1])
    patient.python.unlink()
    result = flow.relink(around(project, patient).settings)
    assert [receipt.changed for receipt in result.data["receipts"]] == [(patient.python,)]


def test_a_wrapper_that_starts_the_interpreter_stays(ward: Ward, project: Project) -> None:
    base = bases()[-1]
    patient = ward.patient(VENV_COPIES, base)
    kept = patient.python.with_name(f"python{base.flavour}")
    patient.python.unlink()
    patient.python.write_text(f'#!/bin/sh\nLANG=C exec "{kept}" "$@"\n', encoding="utf-8")
    patient.python.chmod(0o755)
    wrapper = patient.python.read_bytes()
    patient.python.with_name("python3").write_bytes(b"")
    result = flow.relink(around(project, patient).settings)
    assert [receipt.changed for receipt in result.data["receipts"]] == [(patient.python.with_name("python3"),)]
    assert patient.python.read_bytes() == wrapper


@pytest.mark.parametrize("name", ["python-dangling", "python-cut", "base-gone", "python-retargeted"])
def test_the_command_line_heals_it(ward: Ward, project: Project, name: str) -> None:
    wound = _by_name(name)
    creator, base = (VENV, VIRTUALENV)[len(name) % 2], bases()[-1 - len(name) % 3]
    patient = hurt(ward, wound, base, creator)
    if name == "python-dangling":
        patient.cfg.unlink()
    code, told = around(project, patient).command("fix-cfg")
    assert code == (2 if wound.code in {"python-dangling", "python-truncated", "python-retargeted"} else 0)
    assert told["errors"][0]["hint"] == "invoke heal"
    patient_before = _packages(fingerprint(patient.venv))
    _code, told = project.command("heal", "--no-rebuild")
    assert [receipt["remedy"] for receipt in told["data"]["receipts"]] == ["relink"], told
    assert codes(told["data"]["after"]) == []
    assert effect(patient).severity == "advice"
    assert _packages(fingerprint(patient.venv)) == patient_before


def test_an_environment_of_somebody_else_is_healed_for_its_own_sake(
    ward: Ward, project: Project, free_port: int
) -> None:
    """It does not hold what this project's service runs, and need not."""
    nobodys = {"path": str(project.file.parent / "none of ours")}
    settings = {"environment": nobodys, "service": {"port": free_port}}  # what answers on the usual port is no matter
    project.file.write_text(json.dumps({"clinic": settings}), encoding="utf-8")
    patient = ward.patient(VIRTUALENV, bases()[-1])
    patient.python.unlink()
    code, told = project.command("heal", "--venv", str(patient.venv))
    assert (code, told["outcome"]) == (0, "cured"), told
    (runs,) = [check for check in told["data"]["checks"] if check["id"] == "venv.runs"]
    assert runs["status"] == "skip"


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
file, limit = Path(sys.argv[2]), int(sys.argv[3])
from clinic import flow
from clinic.settings import load
settings, seen = load(file.parent, file, {}), 0

def watch(event, arguments):
    global seen
    if event in {"os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir"}:
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
print(flow.relink(settings).outcome)
"""


@pytest.mark.parametrize("first", [1, 2])
def test_a_kill_at_a_step_loses_nothing(ward: Ward, project: Project, first: int) -> None:
    """Links and pyvenv.cfg in one transaction. The two tests share the steps."""
    base, survived = bases()[-1], False
    for step in range(first, 80, 2):
        patient = hurt(ward, _by_name("base-gone"), base, VENV)
        wounded, settings = fingerprint(patient.venv), around(project, patient).settings
        arguments: list[str | Path] = [ROOT / "scripts", project.file, str(step)]
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert _packages(_lasting(fingerprint(patient.venv))) == _packages(wounded)
        if done.returncode == 0:
            survived = True
            assert done.stdout.split() == ["cured"]
            break
        assert flow.relink(settings).outcome in {"cured", "unchanged"}
        assert examine(observe(patient.venv)) == ()
        assert flow.undo(settings, yes=True).exit_code == 0
        assert _lasting(fingerprint(patient.venv)) == wounded
    assert survived, "the repair takes more steps than this test tries"


def _lasting(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less the staging file that a kill may leave."""
    return {name: what for name, what in found.items() if not name.endswith(".new")}


def test_what_does_not_hold_is_put_back(ward: Ward, project: Project) -> None:
    """Machine code that does not load speaks against the base."""
    patient = hurt(ward, _by_name("python-dangling"), bases()[-1], VENV)
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    text = "raise ImportError('/srv/_core.so: undefined symbol: PyNothing')\n"
    unrecorded(site).write_text(text, encoding="utf-8")
    wounded = fingerprint(patient.venv)
    result = flow.relink(around(project, patient).settings)
    assert summary(result) == ("failed", 1)
    assert [receipt.outcome for receipt in result.data["receipts"]] == ["restored"]
    assert fingerprint(patient.venv) == wounded


def test_packages_of_another_machine_are_no_reason_to_relink(ward: Ward, project: Project) -> None:
    patient = ward.patient(VIRTUALENV, bases()[-1])
    _by_name("python-of-another-machine").inflict(patient)
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    foreign = bytearray(bases()[-1].real.read_bytes()[:4096])
    foreign[18:20] = b"\x16\x00"
    (site / "native.so").write_bytes(bytes(foreign))
    settings = around(project, patient).settings
    who = patient_of(settings)
    told = judge(who, who.look())
    assert [(each.code, each.cured_by) for each in told.findings] == [("python-wrong-architecture", ("rebuild",))]
    assert any("native.so is a program of Linux or BSD for s390x" in line for line in told.findings[0].evidence)
    assert summary(flow.relink(settings)) == ("sick", 1)


def test_a_version_that_is_nowhere_is_said_so(ward: Ward, project: Project) -> None:
    """No base of the packages' own minor version: a rebuild is recommended, and what was looked for is told."""
    patient = ward.patient(VENV, bases()[-1])
    library = next((patient.venv / "lib").glob("python3.*"))
    library.rename(library.with_name("python3.99"))
    for path in names_in(patient):
        path.unlink()
    (patient.venv / "bin" / "python").symlink_to("/nowhere/bin/python3.99")
    patient.cfg.unlink()
    wounded, settings = fingerprint(patient.venv), around(project, patient).settings
    who = patient_of(settings)
    told = judge(who, who.look())
    assert [option.id for option in told.options if option.recommended] == ["rebuild"]
    dangling = next(finding for finding in told.findings if finding.code == "python-dangling")
    assert any("search" in line and "3.99" in line for line in dangling.evidence)
    with pytest.raises(RefusedError, match=r"3\.99"):
        flow.relink(settings)
    with pytest.raises(RefusedError) as refused:
        flow.fix_cfg(settings)
    assert refused.value.hint == "invoke rebuild"
    assert fingerprint(patient.venv) == wounded


def test_a_link_in_the_environment_is_never_written_through(ward: Ward, project: Project) -> None:
    """Copies are laid in the place of links, not through them: the base's file stays its own."""
    patient = ward.patient(VENV_COPIES, bases()[-1])
    for path in names_in(patient):
        path.unlink()
    os.mkfifo(patient.python)
    before = _of_base(patient.base)
    assert summary(flow.relink(around(project, patient).settings)) == ("cured", 0)
    assert _of_base(patient.base) == before


def test_patients_are_told_apart(ward: Ward) -> None:
    assert len({wound.name for wound in INTERPRETER_WOUNDS}) == len(INTERPRETER_WOUNDS)
    healthy: Patient = ward.patient(VENV, bases()[-1])
    assert examine(observe(healthy.venv)) == ()
