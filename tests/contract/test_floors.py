"""The floors of the house: imports run only down, and some things happen in one room only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLINIC = ROOT / "scripts" / "clinic"

# From the street to the cellar. A room may import its own floor and those below.
FLOORS = (
    {"runbook", "nox_doors", "service.__main__", "door"},
    {"flow"},
    {"checks", "remedies", "observe", "service", "checklist", "bug"},
    {
        *("plan", "report", "records", "anatomy", "interpreters", "interpreter_places", "settings"),
        *("proc", "fs", "ownership", "lock", "drift", "changes"),
    },
    {
        *("model", "facts", "package_facts", "place_facts", "errors", "proc_group", "headroom"),
        *("probe", "probe_bytecode", "probe_hook"),
    },
)
MODULES = sorted(CLINIC.rglob("*.py"))


def room(module: str) -> str:
    """The room that a dotted module name below clinic belongs to."""
    return module if module == "service.__main__" else module.partition(".")[0]


def floor(name: str) -> int:
    """The floor of a room, 0 being the street."""
    for number, rooms in enumerate(FLOORS):
        if name in rooms:
            return number
    pytest.fail(f"clinic.{name} has no floor: say in tests/contract/test_floors.py where it belongs")


def dotted(path: Path) -> str:
    """The module's name below clinic."""
    parts = path.relative_to(CLINIC).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """Modules below clinic that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "clinic":
            below = node.module.removeprefix("clinic").lstrip(".")
            yield from ([below] if below else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("clinic.") for a in node.names if a.name.startswith("clinic."))


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_run_only_down(path: Path) -> None:
    me = dotted(path)
    if not me:
        return
    upward = [name for name in imported(path) if floor(room(name)) < floor(room(me))]
    assert not upward, f"clinic.{me} imports from a floor above it"


@pytest.mark.parametrize("path", sorted((CLINIC / "checks").glob("*.py")), ids=dotted)
def test_checks_cannot_touch_the_world(path: Path) -> None:
    allowed = {"model", "facts", "package_facts", "place_facts", "anatomy", "checks"}
    assert {room(name) for name in imported(path)} <= allowed
    outside = {"subprocess", "pathlib", "shutil", "io", "tempfile", "socket", "psutil", "requests"}
    assert not {name.split(".")[0] for name in all_imports(path)} & outside


def all_imports(path: Path) -> Iterator[str]:
    """Every module that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_programs_are_started_in_two_rooms(path: Path) -> None:
    # The last two are programs of their own, which may import nothing of ours.
    if dotted(path) in {"proc", "service.process", "service.wrapper", "checklist.console_host"}:
        return
    assert "subprocess" not in set(all_imports(path))


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_printing_is_for_doors_and_the_report(path: Path) -> None:
    if room(dotted(path)) in {"runbook", "nox_doors", "service.__main__", "report"}:
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


@pytest.mark.parametrize("path", [*MODULES, ROOT / "tasks.py", ROOT / "noxfile.py"], ids=lambda path: path.stem)
def test_no_shell_strings(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            assert node.arg != "shell", f"{path}:{node.value.lineno}"
        if isinstance(node, ast.Attribute):
            assert (getattr(node.value, "id", ""), node.attr) not in {("os", "system"), ("os", "popen")}


def test_the_probe_speaks_old_python() -> None:
    source = (CLINIC / "probe.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr))]
    assert {name.split(".")[0] for name in all_imports(CLINIC / "probe.py")} <= {
        "sys",
        "os",
        "json",
        "time",
        "sysconfig",
        "io",
        "runpy",
        "site",
    }
