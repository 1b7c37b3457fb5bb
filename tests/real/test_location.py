"""Environments that were really moved or copied, and files of theirs that lead astray: named, cured, taken back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clinic.facts import Interpreter
from clinic.flow.patient import judge
from clinic.flow.patient import patient as patient_of
from clinic.flow.rescripting import rescript
from clinic.flow.undoing import undo
from clinic.model import Diagnosis
from clinic.settings import Settings, load
from tests.conftest import ROOT
from tests.real.creators import VENV, Creator, bases, creators, uv
from tests.real.packed import PackedWard, settings_around
from tests.real.patients import Patient, fingerprint
from tests.real.visits import codes, name_of, summary
from tests.real.wounds_of_location import LOCATION_WOUNDS, LocationWound

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]

SCRIPTS = ("alpha", "beta-tool", "beta-again", "extra")


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedWard:
    """The one ward of this worker process."""
    return PackedWard(tmp_path_factory.mktemp("packed").resolve())


def turns() -> list[tuple[LocationWound, Interpreter, Creator]]:
    """Every wound with two pairs of creator and interpreter that take turns."""
    makers, pythons = creators(), bases()
    return [
        (wound, pythons[(number + more * 3) % len(pythons)], makers[(number * 2 + more) % len(makers)])
        for number, wound in enumerate(LOCATION_WOUNDS)
        for more in range(2)
    ]


def looked(told: Settings) -> Diagnosis:
    """What a deep look finds."""
    who = patient_of(told)
    return judge(who, who.look(deep=True))


def kept(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less what may change: scripts and activation, the rows of RECORD, and the display in the cfg."""
    changing = {"RECORD", "pyvenv.cfg"}
    return {
        name: what
        for name, what in found.items()
        if Path(name).name not in changing and (Path(name).parent.name != "bin" or "python" in name)
    }


def activated(venv: Path, shell: str = "sh") -> list[str]:
    """What a shell has for VIRTUAL_ENV and for python once it has read `activate`."""
    words = '. "$0" && printf "%s\\n" "$VIRTUAL_ENV" && command -v python'
    done = subprocess.run(
        [shell, "-c", words, venv / "bin" / "activate"], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.splitlines()


def runs(path: Path) -> bool:
    """Start a script as a person does; `beta` and `extra` have no main, which only their own python can say."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([path], capture_output=True, text=True, check=False, timeout=30, cwd="/", env=env)
    return done.stdout == "alpha\n" if path.name == "alpha" else "cannot import name 'main'" in done.stderr


def lasting(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less the staging file that a kill may leave."""
    return {name: what for name, what in found.items() if not name.endswith(".new")}


@pytest.mark.parametrize(("wound", "base", "creator"), turns(), ids=name_of)
def test_a_wound_is_named_cured_and_taken_back(
    packed: PackedWard, tmp_path: Path, wound: LocationWound, base: Interpreter, creator: Creator
) -> None:
    original = packed.patient(creator, base)
    before = fingerprint(original.venv)
    patient = wound.inflict(original, tmp_path)
    told = settings_around(tmp_path, patient, packed.stock(base))
    wounded = fingerprint(patient.venv)
    found = looked(told).findings
    assert [(finding.code, finding.severity) for finding in found] == [(wound.code, wound.severity)], found
    assert "rescript" in found[0].cured_by
    assert fingerprint(patient.venv) == wounded, "a look changed something"

    done = rescript(told)
    assert summary(done) == ("cured", 0), done
    assert codes(done.data["after"]) == []
    assert codes(looked(told)) == []
    assert kept(fingerprint(patient.venv)) == kept(wounded)
    for name in SCRIPTS:
        assert runs(patient.venv / "bin" / name), name
    assert activated(patient.venv) == [str(patient.venv), str(patient.python)]
    assert rescript(told).outcome == "unchanged"
    assert not list(patient.venv.parent.glob(".clinic-*"))
    if patient.venv != original.venv and original.venv.exists():
        assert fingerprint(original.venv) == before, "the original of a copy was touched"

    assert undo(told, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded


def test_a_script_of_ones_own_changes_in_its_first_line_only(packed: PackedWard, tmp_path: Path) -> None:
    patient = packed.patient(VENV, bases()[-1])
    mine, other = patient.venv / "bin" / "mine", patient.venv / "bin" / "other"
    body = f"import sys\n\nprint({str(patient.venv)!r})\r\n# \u00e9\n"
    mine.write_bytes(f"#!{patient.venv}/bin/python -E\n{body}".encode())
    other.write_bytes(b"#!/usr/bin/python3\nprint()\n")
    venv = tmp_path / "env"
    patient.venv.rename(venv)
    told = settings_around(tmp_path, Patient(venv, bases()[-1], VENV, None, venv), packed.stock(bases()[-1]))
    done = rescript(told)
    assert summary(done) == ("cured", 0)
    assert any("mine" in note and "other" not in note for note in done.notes)
    assert (venv / "bin" / "mine").read_bytes() == f"#!{venv}/bin/python -E\n{body}".encode()
    assert (venv / "bin" / "other").read_bytes() == b"#!/usr/bin/python3\nprint()\n"


def test_a_script_of_a_stranger_is_no_finding(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    (patient.venv / "bin" / "theirs").write_bytes(b"#!/opt/gone/bin/python\n")
    assert looked(settings_around(tmp_path, patient, packed.stock(base))).findings == ()


def test_a_relocatable_environment_may_be_moved(packed: PackedWard, tmp_path: Path) -> None:
    from tests.real.creators import UV
    from tests.real.packed import install

    base = bases()[-1]
    venv = UV.make(base, tmp_path / "one", "--relocatable")
    install(venv / "bin" / "python", packed.stock(base))
    moved = venv.rename(tmp_path / "another one")
    told = settings_around(tmp_path, Patient(moved, base, UV, None, moved), packed.stock(base))
    assert looked(told).findings == ()
    assert runs(moved / "bin" / "alpha")


def test_a_dry_run_touches_nothing(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    venv = patient.venv.rename(tmp_path / "env")
    told = settings_around(tmp_path, Patient(venv, base, VENV, None, venv), packed.stock(base))
    wounded = fingerprint(venv)
    done = rescript(told, dry_run=True)
    assert summary(done) == ("planned", 0)
    assert f"make {venv}/bin/alpha start with {venv}/bin/python" in done.data["plan"]
    assert fingerprint(venv) == wounded
    assert not (tmp_path / ".clinic").exists()


def test_what_does_not_start_is_put_back(packed: PackedWard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first line that looks right and is not: only the kernel says so."""
    from clinic.remedies import rescript as remedy

    base = bases()[-1]
    patient = packed.patient(VENV, base)
    venv = patient.venv.rename(tmp_path / "an env")
    told = settings_around(tmp_path, Patient(venv, base, VENV, None, venv), packed.stock(base))
    wounded = fingerprint(venv)
    monkeypatch.setattr(remedy, "restarted", lambda data, python: f"#!{python}\n".encode() + data.partition(b"\n")[2])
    done = rescript(told)
    assert (done.outcome, done.exit_code) == ("failed", 1)
    assert "does not start this environment's python" in done.errors[0].message
    assert [receipt.outcome for receipt in done.data["receipts"]] == ["restored"]
    assert fingerprint(venv) == wounded


_KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
file, venv, limit = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
from clinic.flow.rescripting import rescript
from clinic.settings import load
settings, seen = load(file.parent, file, {}), 0

def watch(event, arguments):
    global seen
    if event in {"os.rename", "os.link"} and any(str(each).startswith(venv + os.sep) for each in arguments[:2]):
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
print(rescript(settings).outcome)
"""


def test_a_kill_at_any_step_loses_nothing(packed: PackedWard, tmp_path: Path) -> None:
    base, step, kills = bases()[-1], 1, 0
    venv, project = tmp_path / "an env", tmp_path / "project"
    project.mkdir()
    packed.patient(VENV, base).venv.rename(venv)
    told = settings_around(project, Patient(venv, base, VENV, None, venv), packed.stock(base))
    wounded = fingerprint(venv)
    while True:
        words: list[str | Path] = [ROOT / "scripts", project / "invoke.yaml", venv, str(step)]
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, *words], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        again = rescript(told)
        assert summary(again) == ("cured", 0), (step, again)
        assert any("was put back" in note for note in again.notes)
        assert undo(told, yes=True).exit_code == 0
        assert lasting(fingerprint(venv)) == wounded, step
        step, kills = step + (1 if step < 3 else 7), kills + 1
    assert kills > 4
    assert os.access(venv / "bin" / "alpha", os.X_OK)


def test_a_program_of_many_megabytes_behind_a_first_line_stays_whole(packed: PackedWard, tmp_path: Path) -> None:
    """A pex or zipapp: what was once written back were its first 4 MiB."""
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    body = b"print('whole')\n" + b"# padding\n" * 700_000
    packed_program = patient.venv / "bin" / "packed.pex"
    packed_program.write_bytes(f"#!{patient.venv}/bin/python\n".encode() + body)
    venv = patient.venv.rename(tmp_path / "env")
    assert (
        summary(rescript(settings_around(tmp_path, Patient(venv, base, VENV, None, venv), packed.stock(base))))
    ) == ("cured", 0)
    head, _, rest = (venv / "bin" / "packed.pex").read_bytes().partition(b"\n")
    assert head == f"#!{venv}/bin/python".encode()
    assert rest == body, "not one byte of it is lost"


def test_every_script_of_a_copy_with_pip_starts_from_the_copy(tmp_path: Path) -> None:
    """`pip3.13` is in pip's RECORD and is no entry point; what it names is still there, beside the copy."""
    base = bases()[-1]
    original, copy = tmp_path / "a", tmp_path / "e"
    subprocess.run([base.executable, "-m", "venv", original], check=True, timeout=90)
    before = fingerprint(original)
    shutil.copytree(original, copy, symlinks=True)
    told = replace(load(tmp_path, None, {}), records=tmp_path / "records")
    done = rescript(told, copy)
    assert summary(done) == ("cured", 0), done
    heads = {path.name: path.read_bytes()[:200] for path in (copy / "bin").iterdir() if not path.is_symlink()}
    assert f"pip{base.flavour.major}.{base.flavour.minor}" in heads
    assert [name for name, head in heads.items() if str(original).encode() in head.partition(b"\n")[0]] == []
    assert fingerprint(original) == before, "the original of a copy was touched"
