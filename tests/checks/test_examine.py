"""The checks on facts made by hand: order, echoes, severities, causes. What is real is in tests/real."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from clinic.checks import CHECKS, examine, verdict
from clinic.checks.cfg_keys import version_agrees
from clinic.facts import (
    BaseSearch,
    CfgFile,
    Distribution,
    Facts,
    File,
    Flavour,
    Interpreter,
    Program,
    Self,
    Silence,
    Starter,
    Tree,
)
from clinic.model import Finding

VENV = Path("/srv/env")
BASE = Interpreter(
    executable=Path("/opt/py/bin/python3.13"),
    real=Path("/opt/py/bin/python3.13"),
    version=(3, 13, 2),
    flavour=Flavour(3, 13),
    implementation="cpython",
    prefix=Path("/opt/py"),
    base_prefix=Path("/opt/py"),
)
ME = Self(
    dataclasses.replace(BASE, prefix=VENV), is_itself=True, base_site_visible=False, path=(), user_site_visible=False
)
TEXT = b"home = /opt/py/bin\ninclude-system-site-packages = false\nversion = 3.13.2\n"
PYTHON = File(VENV / "bin/python", "link", target="/opt/py/bin/python3.13", modified=100.0)
STARTER = Starter(PYTHON, (BASE.real,), own=False, mode=0o755, program=Program("elf", ("x86-64",)))
TREE = Tree(
    platform="posix",
    scripts=VENV / "bin",
    site_packages=VENV / "lib/python3.13/site-packages",
    interpreters=(PYTHON,),
    starters=(STARTER,),
    distributions=(Distribution("uvicorn", "1.0", VENV / "u"),),
)
HEALTHY = Facts(
    VENV,
    "directory",
    cfg=CfgFile(File(VENV / "pyvenv.cfg", "file", size=len(TEXT)), TEXT),
    tree=TREE,
    flavour=Flavour(3, 13),
    search=BaseSearch(BASE, "bin/python links to it"),
    me=ME,
)


def with_text(raw: bytes | None, **changes: object) -> Facts:
    """Healthy, but for the file's content and what else is named."""
    file = File(VENV / "pyvenv.cfg", "missing" if raw is None else "file", size=len(raw or b""))
    return dataclasses.replace(HEALTHY, cfg=CfgFile(file, raw), **changes)  # type: ignore[arg-type]


def codes(facts: Facts) -> dict[str, str]:
    """Code and severity of every finding."""
    return {finding.code: finding.severity for finding in examine(facts)}


def test_healthy_facts_have_no_findings() -> None:
    assert examine(HEALTHY) == ()
    assert verdict(()) == "healthy"


def test_codes_are_kebab_case_and_each_is_there_once() -> None:
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", check.code) for check in CHECKS)
    assert len({check.code for check in CHECKS}) == len(CHECKS)


def test_what_silences_comes_before_what_it_silences() -> None:
    order = [check.code for check in CHECKS]
    for check in CHECKS:
        assert all(order.index(code) < order.index(check.code) for code in check.silenced_by), check.code


@pytest.mark.parametrize(
    ("me", "severity"),
    [
        (ME, "degraded"),
        (dataclasses.replace(ME, base_site_visible=True), "degraded"),
        (dataclasses.replace(ME, is_itself=False), "fatal"),
        (Silence("exit code 1", 1), "fatal"),
    ],
)
def test_an_empty_file_counts_for_what_it_does(me: Self | Silence, severity: str) -> None:
    assert codes(with_text(b"", me=me)) == {"cfg-empty": severity}


def test_a_damage_is_not_blamed_for_what_it_does_not_do() -> None:
    silent = with_text(TEXT.replace(b"3.13.2", b"3.9.1"), me=Silence("exit code 1", 1, "boom"))
    assert codes(silent) == {"cfg-version-mismatch": "advice", "python-silent": "fatal"}


def test_a_leak_that_nothing_explains_is_named_itself() -> None:
    leaking = dataclasses.replace(HEALTHY, me=dataclasses.replace(ME, base_site_visible=True))
    assert codes(leaking) == {"base-packages-visible": "degraded"}


def test_a_leak_that_was_asked_for_is_none() -> None:
    open_ = dataclasses.replace(ME, base_site_visible=True)
    assert codes(with_text(TEXT.replace(b"false", b"true"), me=open_)) == {}
    assert codes(with_text(TEXT.replace(b"false", b"true"), me=open_, wants_system_site=True)) == {}


@pytest.mark.parametrize(("said", "wanted"), [(b"true", False), (b"false", True)])
def test_a_choice_that_is_known_to_be_another_is_named(said: bytes, wanted: bool) -> None:
    me = dataclasses.replace(ME, base_site_visible=said == b"true")
    assert codes(with_text(TEXT.replace(b"false", said), me=me, wants_system_site=wanted)) == {
        "cfg-include-flipped": "degraded"
    }


@pytest.mark.parametrize("facts", [Facts(VENV, "missing"), Facts(VENV, "dangling-link", "x"), Facts(VENV, "file")])
def test_no_environment_is_missing(facts: Facts) -> None:
    assert verdict(examine(facts)) == "missing"


@pytest.mark.parametrize(
    ("severities", "word"),
    [([], "healthy"), (["advice"], "healthy"), (["advice", "degraded"], "degraded"), (["degraded", "fatal"], "broken")],
)
def test_the_verdict_is_the_worst_word(severities: list[str], word: str) -> None:
    findings = tuple(Finding(f"x-{number}", severity, "", ()) for number, severity in enumerate(severities))  # type: ignore[arg-type]
    assert verdict(findings) == word


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("3.13.2", True),
        ("3.13.2.final.0", True),
        ("3.13", True),
        ("3.13.2+", True),
        ("3.13.2rc1", True),
        ("3.13.1", False),
        ("3.13.20", False),
        ("3.12.2", False),
        ("3.13-ish", False),
        ("3", False),
        ("", False),
        ("newest", False),
        ("\u0663.13.2", False),
    ],
)
def test_versions_are_compared_at_the_precision_recorded(text: str, agrees: bool) -> None:
    assert version_agrees(text, (3, 13, 2)) == agrees


def test_what_the_lock_pins_must_be_there() -> None:
    locked = (("uvicorn", "1.0"), ("fastapi", "2.0"))
    found = examine(dataclasses.replace(HEALTHY, locked=locked))
    assert [(f.code, f.evidence) for f in found] == [("dist-missing", ("fastapi 2.0 is locked, and not installed",))]
    other = examine(dataclasses.replace(HEALTHY, locked=(("uvicorn", "1.1"),)))
    assert [(f.code, f.evidence) for f in other] == [("dist-other-version", ("uvicorn is 1.0, locked is 1.1",))]


def test_an_import_that_fails_is_an_echo_of_what_is_missing() -> None:
    me = dataclasses.replace(ME, imports=(("fastapi", "ModuleNotFoundError: No module named 'fastapi'"),))
    assert codes(dataclasses.replace(HEALTHY, me=me)) == {"import-fails": "fatal"}
    assert codes(dataclasses.replace(HEALTHY, me=me, locked=(("fastapi", "2.0"),))) == {"dist-missing": "degraded"}


# Causes


def first_cause(facts: Facts) -> str:
    """The likeliest cause of a lost file."""
    return next(finding for finding in examine(facts) if finding.code == "cfg-missing").causes[0].cause


def test_a_lone_loss_is_a_deletion() -> None:
    assert "deleted by hand" in first_cause(with_text(None))


def test_a_loss_among_losses_is_an_interruption() -> None:
    bare = dataclasses.replace(TREE, distributions=())
    assert "interrupted" in first_cause(with_text(None, tree=bare))


def test_a_loss_after_a_move_is_the_move() -> None:
    moved = dataclasses.replace(TREE, recorded_path="/home/old/env")
    assert "moved" in first_cause(with_text(None, tree=moved, recorded_is_here=False))


def test_a_mark_of_powershell_is_a_hand() -> None:
    found = examine(with_text(b"\xef\xbb\xbf" + TEXT))
    assert [finding.code for finding in found] == ["cfg-bom"]
    assert found[0].causes[0].cause == "edited by hand"
    assert "PowerShell" in found[0].causes[0].why
