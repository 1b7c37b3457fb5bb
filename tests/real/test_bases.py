"""The base interpreter that the evidence proves, on real environments."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clinic import proc
from clinic.checks import examine
from clinic.facts import Facts, Interpreter, Self
from clinic.observe import observe
from tests.real.conftest import Ward
from tests.real.creators import UV, VENV, VENV_COPIES, VIRTUALENV, Creator, bases, creators, label, uv

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's")


def codes(facts: Facts) -> list[str]:
    """The codes of a look."""
    return [finding.code for finding in examine(facts)]


@pytest.mark.parametrize("base", bases(), ids=label)
@pytest.mark.parametrize("creator", [VENV, VENV_COPIES, VIRTUALENV, *([UV] if uv() else [])], ids=str)
def test_an_environment_made_from_an_environment(tmp_path: Path, base: Interpreter, creator: Creator) -> None:
    """Up to 3.10 venv links to the parent and names it as home; the base behind it is found all the same."""
    parent = VENV.make(base, tmp_path / "parent")
    inner = Interpreter(**{**vars(base), "executable": parent / "bin" / "python"})
    facts = observe(creator.make(inner, tmp_path / "child"))
    assert codes(facts) == []
    assert facts.search.base is not None
    assert not facts.search.base.is_environment
    assert facts.search.base.real == base.real


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_home_in_another_environment_is_named(ward: Ward, tmp_path: Path, creator: Creator) -> None:
    base = bases()[-1]
    if base.version < (3, 11):
        pytest.skip("venv itself writes this up to 3.10")
    patient = ward.patient(creator, base)
    other = VENV.make(base, tmp_path / "other")
    patient.set("home", str(other / "bin"))
    assert codes(observe(patient.venv)) == ["cfg-home-other-base"]


@pytest.mark.parametrize("creator", creators(), ids=str)
@pytest.mark.parametrize("base", bases(), ids=label)
def test_the_base_is_proven_without_the_file(ward: Ward, base: Interpreter, creator: Creator) -> None:
    patient = ward.patient(creator, base)
    patient.cfg.unlink()
    found = observe(patient.venv).search
    assert found.base is not None, found.looked
    assert (found.base.real, found.base.version) == (base.real, base.version)
    assert str(patient.venv / "bin") in found.proof


def test_no_python_is_asked_twice(ward: Ward) -> None:
    asked: list[str] = []

    def counting(argv: list[os.PathLike[str]], **options: object) -> object:
        asked.append(os.fspath(argv[0]))
        return proc.run(argv, **options)  # type: ignore[arg-type]

    for creator in creators():
        asked.clear()
        patient = ward.patient(creator, bases()[-1])
        facts = observe(patient.venv, run=counting)  # type: ignore[arg-type]
        assert isinstance(facts.me, Self)
        assert len(asked) == len(set(asked)) == 2, asked
