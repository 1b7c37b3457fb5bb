"""Real environments, hurt in every way that is known: each damage is named by exactly one code."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from clinic.checks import examine, verdict
from clinic.facts import Interpreter
from clinic.observe import observe
from tests.real.conftest import Ward
from tests.real.creators import VENV, VIRTUALENV, Creator, bases, creators, label
from tests.real.patients import Patient, effect
from tests.real.wounds import HARMLESS, WOUNDS, Wound

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")

_ORDER = ["advice", "degraded", "fatal"]
_NEVER_RUN = {"pipe", "link-to-device"}
"""An interpreter would wait for these for ever, or read them for ever."""


FULL = bool(os.environ.get("CLINIC_TEST_EVERYTHING"))
"""Set it to have every wound on every interpreter by every creator; otherwise creators take turns."""


def thinned(share: int = len(creators()) if FULL else 1) -> list[tuple[Wound, Interpreter, Creator]]:
    """Every wound on every interpreter, by `share` creators that take turns, so that all get their share."""
    makers = creators()
    return [
        (wound, base, makers[(number + turn + more) % len(makers)])
        for number, wound in enumerate(WOUNDS)
        for turn, base in enumerate(bases())
        for more in range(share)
    ]


def name_of(case: object) -> str:
    """How a parameter is shown."""
    return label(case) if isinstance(case, Interpreter) else str(case)


@pytest.mark.parametrize(("wound", "base", "creator"), thinned(), ids=name_of)
def test_a_wound_is_named_by_exactly_its_code(ward: Ward, wound: Wound, base: Interpreter, creator: Creator) -> None:
    patient = ward.patient(creator, base)
    if reason := wound.spared(patient):
        pytest.skip(reason)
    wound.inflict(patient)
    found = examine(observe(patient.venv))
    assert [(finding.code, finding.severity) for finding in found] == [(wound.code, _expected(wound, patient))]
    assert any(str(patient.venv) in line or "home" in line or " is " in line for line in found[0].evidence)


def _expected(wound: Wound, patient: Patient) -> str:
    """The worse of what the wound counts for anyway, and of what the environment's own python is seen to do."""
    seen = "fatal" if wound.name in _NEVER_RUN else effect(patient).severity
    return max(wound.least(patient), seen, key=_ORDER.index)


def test_every_wound_meets_every_creator() -> None:
    met = {(wound.name, creator.name) for wound, base, creator in thinned()}
    assert len(met) >= len(WOUNDS) * min(len(bases()), len(creators()))


def test_wounds_have_names_of_their_own() -> None:
    assert len({wound.name for wound in WOUNDS}) == len(WOUNDS)


@pytest.mark.parametrize("creator", creators(), ids=str)
@pytest.mark.parametrize("variant", HARMLESS)
def test_a_harmless_variant_is_no_finding(ward: Ward, variant: str, creator: Creator) -> None:
    turn = list(HARMLESS).index(variant) + creators().index(creator)
    base = bases()[turn % len(bases())]
    if variant in {"tabs", "indented"} and creator.copies and base.version < (3, 11):
        base = bases()[-1]
    patient = ward.patient(creator, base)
    HARMLESS[variant](patient)
    assert effect(patient).severity == "advice"
    assert examine(observe(patient.venv)) == ()


# Healthy environments


@pytest.mark.parametrize("base", bases(), ids=label)
@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_healthy_environment_has_no_findings(ward: Ward, creator: Creator, base: Interpreter) -> None:
    assert examine(observe(ward.patient(creator, base).venv)) == ()


ODD_NAMES = ["with blanks", "it's", 'a "quote"', "größe", "snake \U0001f40d", "per%cent $HOME", "~tilde", "#hash; mark"]


@pytest.mark.parametrize("creator", creators(), ids=str)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_healthy_environment_at_an_odd_place(tmp_path: Path, creator: Creator, name: str) -> None:
    turn = ODD_NAMES.index(name) + creators().index(creator)
    base = bases()[turn % len(bases())]
    venv = creator.make(base, tmp_path / name / "env", "--prompt", f"{name}!")
    facts = observe(venv)
    assert examine(facts) == ()
    assert facts.tree is not None
    assert facts.tree.recorded_path == str(venv)
    assert facts.tree.prompt == f"{name}!"


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_base_packages_that_were_asked_for_are_no_finding(tmp_path: Path, creator: Creator) -> None:
    base = bases()[creators().index(creator) % len(bases())]
    venv = creator.make(base, tmp_path / "env", "--system-site-packages")
    assert examine(observe(venv)) == ()


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_way_through_a_link_is_no_finding(ward: Ward, tmp_path: Path, creator: Creator) -> None:
    patient = ward.patient(creator, bases()[-1])
    link = tmp_path / "by another name"
    link.symlink_to(patient.venv)
    assert examine(observe(link)) == ()


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_base_behind_a_linked_prefix_is_no_finding(tmp_path: Path, creator: Creator) -> None:
    base = bases()[-1]
    prefix = tmp_path / "linked prefix"
    prefix.symlink_to(base.prefix)
    through = Interpreter(**{**vars(base), "executable": prefix / "bin" / base.executable.name})
    assert examine(observe(creator.make(through, tmp_path / "env"))) == ()


@pytest.mark.parametrize("options", [[], ["--copies"]], ids=["links", "copies"])
def test_a_healthy_environment_with_pip(tmp_path: Path, options: list[str]) -> None:
    base = bases()[-1]
    seeded = Creator("seeded", lambda base, venv: [base.executable, "-m", "venv", venv])
    facts = observe(seeded.make(base, tmp_path / "env", *options), imports=["pip"])
    assert examine(facts) == ()
    assert facts.tree is not None
    assert "pip" in {distribution.name for distribution in facts.tree.distributions}


# The folder itself


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    found = examine(observe(tmp_path / "nothing"))
    assert [finding.code for finding in found] == ["venv-missing"]
    assert verdict(found) == "missing"


def test_a_moved_environment_is_named_so(ward: Ward, tmp_path: Path) -> None:
    patient = ward.patient(VENV, bases()[-1])
    shutil.copytree(patient.venv, tmp_path / "elsewhere", symlinks=True)
    found = examine(observe(tmp_path / "elsewhere"))
    assert [finding.code for finding in found] == ["venv-moved"]
    assert str(patient.venv) in found[0].evidence[0]


@pytest.mark.parametrize(
    ("hurt", "code"),
    [
        (lambda python: python.unlink(), "python-missing"),
        (lambda python: (python.unlink(), python.symlink_to("/opt/gone/bin/python3")), "python-dangling"),
        (lambda python: (python.unlink(), python.symlink_to("python")), "python-recursive"),
        (lambda python: (python.unlink(), python.write_bytes(b"")), "python-truncated"),
        (lambda python: (python.unlink(), python.write_bytes(b"\x7fEL")), "python-truncated"),
    ],
    ids=["missing", "dangling", "loop", "empty", "cut"],
)
def test_a_hurt_interpreter_is_named_once(ward: Ward, hurt: object, code: str) -> None:
    patient = ward.patient(VIRTUALENV, bases()[-1])
    assert callable(hurt)
    hurt(patient.python)
    assert [finding.code for finding in examine(observe(patient.venv))] == [code]


def test_an_interpreter_of_another_version_is_named_so(ward: Ward) -> None:
    patient = ward.patient(VIRTUALENV, bases()[-1])
    if patient.other_minor is None:
        pytest.skip("only one minor version is here")
    patient.python.unlink()
    patient.python.symlink_to(patient.other_minor.executable)
    assert [finding.code for finding in examine(observe(patient.venv))] == ["python-retargeted"]
