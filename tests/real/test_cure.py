"""Real environments, hurt and healed: cured, proved, nothing lost, and taken back again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinic import flow
from clinic.anatomy import cfg as grammar
from clinic.errors import RefusedError
from clinic.facts import Interpreter
from clinic.model import Diagnosis, Result
from clinic.settings import Settings, load
from tests.conftest import ROOT
from tests.real.conftest import Ward
from tests.real.creators import VENV, Creator, bases, creators, label
from tests.real.patients import MARKER, Patient, effect, fingerprint
from tests.real.wounds import WOUNDS, Wound, by_name

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")


def turns(share: int) -> list[tuple[Wound, Interpreter, Creator]]:
    """Every wound with `share` creators, interpreters taking turns."""
    makers, pythons = creators(), bases()
    return [
        (wound, pythons[(number + more * 3) % len(pythons)], makers[(number * 2 + more) % len(makers)])
        for number, wound in enumerate(WOUNDS)
        for more in range(share)
    ]


def name_of(case: object) -> str:
    """How a parameter is shown."""
    return label(case) if isinstance(case, Interpreter) else str(case)


@dataclass(frozen=True)
class Project:
    """A project around one environment: its settings and its records."""

    file: Path

    @property
    def settings(self) -> Settings:
        """As a command reads them."""
        return load(self.file.parent, self.file, {})

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run the real command line; its exit code and its envelope."""
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "-f", self.file, *words, "--json"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.stdout, done.stderr.decode("utf-8", "replace")
        envelope: dict[str, Any] = json.loads(done.stdout)
        assert envelope["exit_code"] == done.returncode
        return done.returncode, envelope


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without an environment as yet."""
    return Project(tmp_path / "invoke.yaml")


def around(project: Project, patient: Patient) -> Project:
    """The project, made to be about this patient."""
    settings = {"environment": {"path": str(patient.venv), "imports": [MARKER], "requirements": "none.txt"}}
    project.file.write_text(json.dumps({"clinic": settings}), encoding="utf-8")
    return project


def hurt(ward: Ward, wound: Wound, base: Interpreter, creator: Creator) -> Patient:
    """A patient with that wound; skips where it can't be inflicted."""
    patient = ward.patient(creator, base)
    patient.rewrite([*patient.lines, "team = bridge"])
    if reason := wound.spared(patient):
        pytest.skip(reason)
    wound.inflict(patient)
    return patient


def codes(diagnosis: Diagnosis | dict[str, Any]) -> list[str]:
    """What a diagnosis found."""
    if isinstance(diagnosis, dict):
        return [finding["code"] if isinstance(finding, dict) else finding.code for finding in diagnosis["findings"]]
    return [finding.code for finding in diagnosis.findings]


def without_cfg(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less pyvenv.cfg and what lies in it, should it be a folder."""
    return {
        name: what for name, what in found.items() if name != "bin/pyvenv.cfg" and Path(name).parts[0] != "pyvenv.cfg"
    }


def summary(result: Result) -> tuple[str, int]:
    """Outcome and exit code."""
    return result.outcome, result.exit_code


@pytest.mark.parametrize(("wound", "base", "creator"), turns(2), ids=name_of)
def test_a_wound_is_cured_and_nothing_is_lost(
    ward: Ward, project: Project, wound: Wound, base: Interpreter, creator: Creator
) -> None:
    patient = hurt(ward, wound, base, creator)
    settings = around(project, patient).settings
    wounded, base_before = fingerprint(patient.venv), _base_site(base)
    told = _tells_of_the_team(patient)

    cured = flow.fix_cfg(settings)
    assert summary(cured) == ("cured", 0), cured
    assert codes(cured.data["before"]) == [wound.code]
    assert codes(cured.data["after"]) == []
    assert _is_well(patient)
    assert not told or "team = bridge" in patient.lines
    healed = fingerprint(patient.venv)
    assert without_cfg(healed) == without_cfg(wounded)
    assert _base_site(base) == base_before

    assert summary(flow.diagnose(settings)) == ("healthy", 0)
    assert summary(flow.fix_cfg(settings)) == ("unchanged", 0)
    assert fingerprint(patient.venv) == healed

    assert flow.undo(settings).exit_code == 0
    assert fingerprint(patient.venv) == wounded


def _is_well(patient: Patient) -> bool:
    """It starts as itself, and sees the base's packages only where its file says so aloud."""
    seen = effect(patient)
    return seen.starts and seen.itself and seen.leaks == ("include-system-site-packages = true" in patient.lines)


def _base_site(base: Interpreter) -> dict[str, int]:
    """Sizes in the base's own site-packages: nothing of ours may ever land there."""
    site = base.prefix / "lib" / f"python{base.flavour}" / "site-packages"
    return {str(path.relative_to(site)): path.lstat().st_size for path in site.glob("*") if path.name != "__pycache__"}


def _tells_of_the_team(patient: Patient) -> bool:
    """Whether the unknown key is still readable in the hurt file."""
    for place in (patient.cfg, patient.venv / "bin" / "pyvenv.cfg"):
        if place.is_file() and place.stat().st_size:
            cfg = grammar.parse(place.read_bytes())
            return cfg.last("team") == "bridge" and not cfg.ends_within_a_line
    return False


@pytest.mark.parametrize(("wound", "base", "creator"), turns(1), ids=name_of)
def test_the_command_line_cures_a_wound(
    ward: Ward, project: Project, wound: Wound, base: Interpreter, creator: Creator
) -> None:
    patient = hurt(ward, wound, base, creator)
    code, envelope = around(project, patient).command("fix-cfg")
    assert (code, envelope["outcome"], envelope["errors"]) == (0, "cured", [])
    assert codes(envelope["data"]["before"]) == [wound.code]
    assert codes(envelope["data"]["after"]) == []
    assert [receipt["outcome"] for receipt in envelope["data"]["receipts"]] == ["done"]
    assert _is_well(patient)


@pytest.mark.parametrize("name", ["missing", "utf16", "folder", "home-of-other-minor", "only-in-bin", "home-in-prompt"])
def test_the_commands_of_a_whole_visit(ward: Ward, project: Project, name: str) -> None:
    wound, creator = by_name(name), creators()[len(name) % len(creators())]
    patient = hurt(ward, wound, bases()[len(name) % len(bases())], creator)
    wounded, commands = fingerprint(patient.venv), around(project, patient)
    _code, first = commands.command("diagnose")
    assert codes(first["data"]) == [wound.code]
    sick = first["data"]["findings"][0]["severity"] != "advice"
    assert (first["exit_code"], first["outcome"]) == ((1, "sick") if sick else (0, "healthy"))
    assert commands.command("fix-cfg", "--dry-run")[1]["outcome"] == "planned"
    assert fingerprint(patient.venv) == wounded
    assert commands.command("fix-cfg", "--venv", str(patient.venv))[1]["outcome"] == "cured"
    code, again = commands.command("diagnose")
    assert (code, again["data"]["verdict"], codes(again["data"])) == (0, "healthy", [])
    assert commands.command("fix-cfg")[1]["outcome"] == "unchanged"
    assert commands.command("undo")[0] == 0
    assert fingerprint(patient.venv) == wounded


# Interrupted

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
    if event in {"os.rename", "os.link", "os.remove", "os.rmdir"}:
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
print(flow.fix_cfg(settings).outcome)
"""


@pytest.mark.parametrize("name", ["missing", "empty", "folder", "only-in-bin"])
def test_a_kill_at_any_step_loses_nothing(ward: Ward, project: Project, name: str) -> None:
    base, survived = bases()[-1], False
    for step in range(1, 60):
        patient = hurt(ward, by_name(name), base, VENV)
        wounded, settings = fingerprint(patient.venv), around(project, patient).settings
        arguments = [ROOT / "scripts", project.file, str(step)]
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert without_cfg(_lasting(fingerprint(patient.venv))) == without_cfg(wounded)
        if done.returncode == 0:
            survived = True
            assert done.stdout.split() == ["cured"]
            break
        again = flow.fix_cfg(settings)
        assert again.outcome in {"cured", "unchanged"}, (step, again)
        assert summary(flow.diagnose(settings)) == ("healthy", 0)
        assert flow.undo(settings).exit_code == 0
        assert without_cfg(_lasting(fingerprint(patient.venv))) == without_cfg(wounded)
        assert by_name(name).code in codes(flow.diagnose(settings).data)
    assert survived, "the repair takes more steps than this test tries"


def _lasting(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less the staging file that a kill may leave."""
    return {
        name: what for name, what in found.items() if not (name.startswith(".pyvenv.cfg.") and name.endswith(".new"))
    }


def test_what_does_not_hold_is_put_back(ward: Ward, project: Project) -> None:
    """Without pyvenv.cfg it starts as its base and never meets its own sitecustomize, which kills it."""
    patient = hurt(ward, by_name("missing"), bases()[-1], VENV)
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    (site / "sitecustomize.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    wounded = fingerprint(patient.venv)
    result = flow.fix_cfg(around(project, patient).settings)
    assert summary(result) == ("failed", 1)
    assert fingerprint(patient.venv) == wounded
    assert [receipt.outcome for receipt in result.data["receipts"]] == ["restored"]


def test_a_base_of_another_version_is_refused(ward: Ward, project: Project) -> None:
    patient = hurt(ward, by_name("missing"), bases()[-1], VENV)
    if patient.other_minor is None:
        pytest.skip("only one minor version is here")
    wounded = fingerprint(patient.venv)
    with pytest.raises(RefusedError):
        flow.fix_cfg(around(project, patient).settings, base=str(patient.other_minor.executable))
    assert fingerprint(patient.venv) == wounded


def test_an_environment_is_refused_as_a_base(ward: Ward, project: Project, tmp_path: Path) -> None:
    patient = hurt(ward, by_name("missing"), bases()[-1], VENV)
    other = VENV.make(bases()[-1], tmp_path / "another environment")
    with pytest.raises(RefusedError, match="environment"):
        flow.fix_cfg(around(project, patient).settings, base=str(other / "bin" / "python"))
    assert not patient.cfg.exists()
