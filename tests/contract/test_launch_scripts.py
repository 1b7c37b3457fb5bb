"""The two launch scripts only delegate: one parses as PowerShell, the other is run."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL, POWERSHELL = ROOT / "aios_launch.sh", ROOT / "aios_launch.ps1"

posix = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell script")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository whose invoke only tells what it was called with."""
    root = tmp_path / "a b'c é"
    (root / ".tools" / "bin").mkdir(parents=True)
    fake = root / ".tools" / "bin" / "invoke"
    fake.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\nexit 7\n', encoding="utf-8")
    fake.chmod(0o755)
    shutil.copy2(SHELL, root)
    return root


def launched(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script from another folder."""
    return subprocess.run(
        [root / SHELL.name, *words], capture_output=True, text=True, encoding="utf-8", cwd="/", check=False
    )


@posix
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["start"]),
        (("--keep-alive",), ["keep-alive"]),
        (("--keep-alive", "--json"), ["keep-alive", "--json"]),
        (("--venv", "a b"), ["start", "--venv", "a b"]),
    ],
)
def test_the_shell_script_hands_over(clone: Path, words: tuple[str, ...], expected: list[str]) -> None:
    done = launched(clone, *words)
    assert done.stdout.splitlines() == [str(clone), *expected]
    assert done.returncode == 7, "the task's exit code goes through"


@posix
def test_without_tools_the_shell_script_says_what_to_do(clone: Path) -> None:
    shutil.rmtree(clone / ".tools")
    done = launched(clone)
    assert done.returncode == 2
    assert "error[no-tools]" in done.stderr
    assert "bootstrap.py" in done.stderr


@posix
def test_the_shell_script_may_be_run() -> None:
    assert SHELL.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["/bin/sh", "-n", SHELL], check=False).returncode == 0


def test_the_powershell_script_parses() -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    assert not parser.parse(POWERSHELL.read_bytes()).root_node.has_error
    assert parser.parse(b"if ($x { 'no' }").root_node.has_error, "the parser sees what is wrong"


def test_the_powershell_script_only_delegates() -> None:
    text = POWERSHELL.read_text(encoding="utf-8")
    code = re.sub(r"<#.*?#>|#[^\n]*", "", text, flags=re.DOTALL)
    called = re.findall(r"^\s*&\s*(.+)$", code, re.MULTILINE)
    assert called == ["$invoke $task @More"]
    assert "[switch]$KeepAlive" in code
    assert not re.search(
        r"\b(uvicorn|python(?!`)|Start-Process|Invoke-WebRequest|Stop-Process)\b", code.replace("hint: python", "")
    )
    assert text.isascii(), "Windows PowerShell reads a file without a mark in the code page of the machine"


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="no PowerShell on this machine")
def test_powershell_runs_it(clone: Path) -> None:
    shutil.copy2(POWERSHELL, clone)
    done = subprocess.run(
        [shutil.which("pwsh") or "pwsh", "-NoProfile", "-File", clone / POWERSHELL.name, "-KeepAlive", "--json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout.splitlines()[1:] == ["keep-alive", "--json"]
    assert done.returncode == 7
