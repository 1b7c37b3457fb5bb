"""The incident document: every part that a person asks for, true to the tree, and Markdown whatever the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from clinic.errors import FailedError
from clinic.model import Action, Cause, CheckResult, Finding, Option, Receipt, Result
from clinic.report import incident
from clinic.report.envelope import envelope

PARTS = (
    "Impact",
    "Symptoms observed",
    "Root cause",
    "Likely causes, in order",
    "Options",
    "What was done",
    "Checklist",
    "Next actions",
)
NASTY = "/p/a|b `c` *d* [e](f) <g> #h _i_\n# no heading"

FATAL = Finding(
    "cfg-missing",
    "fatal",
    "pyvenv.cfg is missing",
    ("/p/env/pyvenv.cfg does not exist",),
    (Cause("deleted by a clean-up tool", "the rest is whole"), Cause("an interrupted creation", "it is new")),
    ("fix-cfg", "rebuild"),
)
DEGRADED = Finding("dist-missing", "degraded", "a package | is missing", (NASTY,))
OPTION = Option("fix-cfg", True, True, False, 1.0, ("keeps | pipes",), ("mends the file only",))  # noqa: FBT003
BEFORE = {
    "venv": Path("/p/env"),
    "verdict": "broken",
    "findings": (DEGRADED, FATAL),
    "options": (OPTION,),
    "next_actions": (Action("immediate", "invoke fix-cfg", "cures it"),),
}
AFTER = {"venv": Path("/p/env"), "verdict": "healthy", "findings": (), "options": (), "next_actions": ()}
CHECKS = (
    CheckResult("venv.cfg", "Virtual environment", "pyvenv.cfg is there and true", "pass", "home is /usr/bin"),
    CheckResult("venv.runs", "Virtual environment", "its python runs", "fail", "exit code 1"),
    CheckResult("startup.starts", "Server startup", "starts", "skip", "left out"),
)
RECEIPT = Receipt("fix-cfg", (Path("/p/env/pyvenv.cfg"),), Path("/p/.clinic/stash/x"), 0.2, "done", "x")
HEALED = {
    "before": BEFORE,
    "after": AFTER,
    "receipts": [RECEIPT],
    "checks": CHECKS,
    "server": {"state": "running", "pid": 7, "done": "started"},
}


def parts(text: str) -> dict[str, str]:
    """The document by its headings."""
    pieces = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], map(str.strip, pieces[2::2]), strict=True))


def of(data: Mapping[str, object], command: str = "heal") -> str:
    return incident.document(envelope(Result(command, "cured", 0, data)), 1_700_000_000.0)


def test_every_part_is_there_in_order() -> None:
    text = of(HEALED)
    assert tuple(parts(text)) == PARTS
    assert text.startswith("# Incident: cfg-missing, dist-missing\n")
    assert "- **Date:** 2023-11-1" in text
    assert "- **Verdict:** broken, then healthy" in text


def test_what_each_part_says() -> None:
    told = parts(of(HEALED))
    assert "cannot be started" in told["Impact"]
    assert "running, process 7 (started)" in told["Impact"]
    assert "`/p/env/pyvenv.cfg does not exist`" in told["Symptoms observed"]
    assert told["Root cause"].startswith("pyvenv.cfg is missing:"), "the worst is the root, not the first on the list"
    assert told["Likely causes, in order"].splitlines()[0].startswith("1. `cfg-missing`: deleted by a clean-up tool")
    assert "| `fix-cfg` (recommended) | kept | not needed | about 1 s |" in told["Options"]
    assert "changed `/p/env/pyvenv.cfg`" in told["What was done"]
    assert "`/p/.clinic/stash/x`" in told["What was done"]
    assert [line[:5] for line in told["Checklist"].splitlines()] == ["- [x]", "- [ ]", "- [-]"]
    assert "**failed**: exit code 1" in told["Checklist"]
    assert "`invoke undo --yes`" in told["Next actions"]


def test_of_a_diagnosis() -> None:
    told = parts(of({**BEFORE, "checks": CHECKS}, "diagnose"))
    assert told["What was done"] == "None."
    assert told["Next actions"] == "1. `invoke fix-cfg` (immediate): cures it"


def test_of_a_server_that_was_down_alone() -> None:
    text = of({**HEALED, "before": {**AFTER}, "receipts": []})
    assert text.startswith("# Incident: no damage to the environment\n")
    assert parts(text)["Symptoms observed"] == "None."


def test_odd_text_stays_text() -> None:
    text = of(HEALED)
    assert "# no heading" not in text.splitlines()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 7, "a pipe in a cell must not make another cell"


@pytest.mark.parametrize("value", ["plain", "`", "``a`", "a`b", "", "\x1b[31m", "\u202e", "\udcff"])
def test_code_spans_hold_any_text(value: str) -> None:
    span = incident.code(value)
    fence = re.match("`+", span)
    assert fence
    assert span.endswith(fence[0])
    assert fence[0] not in span[len(fence[0]) : -len(fence[0])]
    assert span.isprintable()
    span.encode("utf-8")


def test_two_in_one_second_are_two_files(tmp_path: Path) -> None:
    paths = [incident.write(tmp_path, Result("heal", "cured", 0, HEALED)) for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.parent == tmp_path / "incidents" and path.suffix == ".md" for path in paths)
    assert "cfg-missing" in paths[0].name
    assert paths[0].read_text(encoding="utf-8").startswith("# Incident")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "incidents").write_text("a file", encoding="utf-8")
    with pytest.raises(FailedError) as told:
        incident.write(tmp_path, Result("heal", "cured", 0, HEALED))
    assert told.value.code == "incident-not-written"
