"""The probe is run by other pythons than ours: it must not outgrow them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import interpreters, probe
from clinic.facts import Interpreter
from tests.real.creators import bases, label

SOURCE = interpreters.PROBE.read_text(encoding="utf-8")


def test_it_imports_the_standard_library_only() -> None:
    named = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert named <= {"sys", "os", "json", "time", "sysconfig", "io", "runpy", "site"}


def test_its_syntax_is_that_of_old_pythons() -> None:
    ast.parse(SOURCE, feature_version=(3, 4))
    assert "from __future__" not in SOURCE
    assert not [node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.JoinedStr | ast.NamedExpr)]


@pytest.mark.parametrize("base", bases(), ids=label)
def test_every_interpreter_found_runs_it(base: Interpreter, tmp_path: Path) -> None:
    done = subprocess.run(
        [base.executable, "-I", "-B", interpreters.PROBE, "json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.count(probe.MARK) == 2
    assert done.stderr == ""


def test_it_says_nothing_where_there_is_nothing_to_say_it_to() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1]); sys.__stdout__ = None; import clinic.probe as p; p.main([])",
            interpreters.PROBE.parents[1],
        ],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_imports_are_told_one_by_one() -> None:
    told = dict(probe.imports(["json", "no_such_module"]))
    assert told["json"] == ""
    assert told["no_such_module"].startswith("ModuleNotFoundError")


def test_the_version_text_has_its_level() -> None:
    assert probe._level((3, 15, 0, "beta", 2)) == "b2"
    assert probe._level((3, 13, 0, "final", 0)) == ""
    assert probe.identity()["version_text"].startswith(".".join(map(str, sys.version_info[:3])))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('1.0')", ""),
        ("import sys; print('1.0', file=sys.stderr); sys.exit(0)", ""),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("", "it says nothing"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
    ],
)
def test_what_a_module_says_to_version(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "versioned_module.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert probe.imports(["-m versioned_module"]) == [["-m versioned_module", said]]
