"""aios_launch.cmd under the cmd of Windows, with tools whose invoke only tells what it was called with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.windows.hands import Hand

SCRIPT = "aios_launch.cmd"
_TELLS = """\
import os, sys
sys.stdout.reconfigure(encoding="utf-8")
print(os.getcwd(), sys.prefix, *sys.argv[1:], sep="\\n")
sys.exit(7)
"""


@pytest.fixture(scope="module")
def clone(hand: Hand, worker_id: str) -> Path:
    """A repository with tools, in a folder with blanks, an accent and brackets."""
    root = hand.machine.wine.disk / f"Zoë (x86) {worker_id}"
    root.mkdir()
    hand.machine.venv(root / ".tools")
    module = root / ".tools" / "Lib" / "site-packages" / "invoke" / "__main__.py"
    module.parent.mkdir()
    module.write_text(_TELLS, encoding="utf-8")
    shutil.copy2(ROOT / SCRIPT, root)
    return root


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["start"]),
        (["-KeepAlive"], ["keep-alive"]),
        (["-keepalive", "--json"], ["keep-alive", "--json"]),
        (["-KeepAlive", "--venv", "a & b", "--only=x"], ["keep-alive", "--venv", "a & b", "--only=x"]),
        (["--venv", "a (b)"], ["start", "--venv", "a (b)"]),
    ],
    ids=str,
)
def test_it_hands_over(hand: Hand, clone: Path, words: list[str], expected: list[str]) -> None:
    inside = hand.machine.wine.inside
    said = hand.run(inside(clone / SCRIPT), *words)
    assert said.out.splitlines() == [inside(clone), inside(clone / ".tools"), *expected], said
    assert said.code == 7, "the task's exit code goes through"


def test_it_works_where_it_was_moved_to(hand: Hand, clone: Path) -> None:
    inside = hand.machine.wine.inside
    moved = clone.rename(clone.with_name(f"{clone.name} moved"))
    try:
        said = hand.run(inside(moved / SCRIPT), "-KeepAlive")
    finally:
        moved.rename(clone)
    assert said.out.splitlines() == [inside(moved), inside(moved / ".tools"), "keep-alive"], said


def test_without_tools_it_says_what_to_do(hand: Hand, clone: Path) -> None:
    alone = clone.with_name(f"{clone.name} alone")
    alone.mkdir()
    shutil.copy2(clone / SCRIPT, alone)
    said = hand.run(hand.machine.wine.inside(alone / SCRIPT), "-KeepAlive")
    assert (said.code, said.out) == (2, "")
    assert "error[no-tools]" in said.err
    assert "hint: py -3" in said.err
