"""Real environments, hurt and healed: cured, proved, nothing lost, and taken back again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.anatomy import cfg as grammar
from clinic.facts import Interpreter
from tests.real.conftest import Ward
from tests.real.creators import Creator, bases, creators
from tests.real.patients import Patient, effect, fingerprint
from tests.real.visits import Project, around, codes, hurt, name_of, summary, turns, without_cfg
from tests.real.wounds import Wound, by_name

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without an environment as yet."""
    return Project(tmp_path / "invoke.yaml")


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

    assert flow.undo(settings, yes=True).exit_code == 0
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
    assert commands.command("undo", "--yes")[0] == 0
    assert fingerprint(patient.venv) == wounded


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_choice_that_was_flipped_since_the_last_good_state(ward: Ward, project: Project, creator: Creator) -> None:
    """Nothing in the file itself tells that it is wrong: the snapshot does."""
    patient = ward.patient(creator, bases()[-1])
    settings = around(project, patient).settings
    assert flow.snapshot(settings).exit_code == 0
    patient.set("include-system-site-packages", "true")
    found = [(finding.code, finding.severity) for finding in flow.diagnose(settings).data["findings"]]
    assert found == [("cfg-include-flipped", "degraded")]
    assert summary(flow.fix_cfg(settings)) == ("cured", 0)
    assert "include-system-site-packages = false" in patient.lines
    assert codes(flow.diagnose(settings).data) == []
