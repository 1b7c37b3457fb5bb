"""The launch scripts only delegate: one parses as PowerShell, one is run; that of cmd is run in tests/windows."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.real.creators import VENV, bases

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

ROOT = Path(__file__).resolve().parents[2]
SHELL, POWERSHELL, CMD = (ROOT / f"aios_launch.{suffix}" for suffix in ("sh", "ps1", "cmd"))

posix = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell script")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository whose python of the tools only tells what it was called with."""
    root = tmp_path / "a b'c é"
    (root / ".tools" / "bin").mkdir(parents=True)
    fake = root / ".tools" / "bin" / "python"
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
    assert done.stdout.splitlines() == [str(clone), "-m", "invoke", *expected]
    assert done.returncode == 7, "the task's exit code goes through"


@posix
def test_the_shell_script_survives_a_move(tmp_path: Path) -> None:
    """With real tools: the first line of their `invoke` leads to where they were made."""
    root = tmp_path / "was here"
    tools = VENV.make(bases()[-1], root / ".tools")
    module = next(tools.glob("lib/python*/site-packages")) / "invoke" / "__main__.py"
    module.parent.mkdir()
    module.write_text("import sys\nprint(sys.prefix, *sys.argv[1:])\n", encoding="utf-8")
    shutil.copy2(SHELL, root)
    moved = root.rename(tmp_path / "is here")
    assert launched(moved, "--keep-alive").stdout.splitlines() == [f"{moved / '.tools'} keep-alive"]


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


@pytest.fixture(scope="module")
def powershell() -> Parser:
    """A parser of PowerShell."""
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_powershell")
    parser: Parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    return parser


# What the script may call, and by which parameters: all of it is in Windows PowerShell 5.1, as its manual has it.
_CALLED = {"Test-Path", "Push-Location", "Pop-Location", "$python"}
_PARAMETERS = {"-LiteralPath", "-m"}
_OPERATORS = {"??", "??=", "?", ":"}
_VARIABLES_OF_7 = re.compile(r"\$(?:Is(?:Windows|Linux|MacOS|CoreCLR)|PSStyle)\b", re.IGNORECASE)


def beyond_5_1(parser: Parser, source: bytes) -> list[str]:
    """What Windows PowerShell 5.1 does not know, or what is not known to be in it."""
    return list(_beyond(parser.parse(source).root_node))


def _beyond(node: Node) -> Iterator[str]:
    text = (node.text or b"").decode()
    if node.is_error or node.is_missing:
        yield f"no syntax of 5.1: {text!r}"  # the grammar has neither ??, ?. nor the ternary operator
    elif node.type == "pipeline_chain_tail":
        yield f"a chain of pipelines: {text!r}"
    elif node.type == "command_name_expr" or (
        node.type == "command_name" and not _is(node.parent, "command_name_expr")
    ):
        yield from [] if text in _CALLED else [f"a command: {text}"]
    elif node.type == "command_parameter":
        yield from [] if text in _PARAMETERS else [f"a parameter: {text}"]
    elif node.type == "generic_token" and text in _OPERATORS:
        yield f"an operator: {text}"
    elif node.type == "variable" and _VARIABLES_OF_7.match(text):
        yield f"a variable: {text}"
    for child in node.children:
        yield from _beyond(child)


def _is(node: Node | None, kind: str) -> bool:
    return node is not None and node.type == kind


def test_the_powershell_script_is_one_of_5_1(powershell: Parser) -> None:
    assert beyond_5_1(powershell, POWERSHELL.read_bytes()) == []


@pytest.mark.parametrize(
    "line",
    [
        "$a = $b ?? 1",
        "$a ??= 1",
        "& $python ?? 'x'",
        "$a = ${b}?.c",
        "$a = ${b}?[0]",
        "$a = $b ? 1 : 2",
        "& $python -m && Pop-Location",
        "Test-Path x || Pop-Location",
        "1..3 | ForEach-Object -Parallel { $_ }",
        "if ($IsWindows) { exit 2 }",
        "Get-Error",
        "& $python -m invoke &",
        "if ($x { 'no' }",
    ],
)
def test_what_5_1_does_not_know_is_seen(powershell: Parser, line: str) -> None:
    assert beyond_5_1(powershell, line.encode())


def test_the_powershell_script_only_delegates() -> None:
    text = POWERSHELL.read_text(encoding="utf-8")
    code = re.sub(r"<#.*?#>|#[^\n]*", "", text, flags=re.DOTALL)
    assert re.findall(r"^\s*&\s*(.+)$", code, re.MULTILINE) == ["$python -m invoke $task @args"]
    assert "[switch]$KeepAlive" in code
    assert text.isascii(), "Windows PowerShell reads a file without a mark in the code page of the machine"


def test_the_script_of_cmd_can_be_read_by_it() -> None:
    data = CMD.read_bytes()
    assert data.isascii(), "cmd reads it in the code page of the console"
    assert data.count(b"\r\n") == data.count(b"\n"), "cmd looks for labels in lines that end so"


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
    assert done.stdout.splitlines()[1:] == ["-m", "invoke", "keep-alive", "--json"]
    assert done.returncode == 7
