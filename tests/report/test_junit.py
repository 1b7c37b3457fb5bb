"""The checklist as JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from clinic.errors import FailedError
from clinic.model import CheckResult
from clinic.report import junit
from tests.report import samples


def test_suites_are_groups_and_cases_are_checks(tmp_path: Path) -> None:
    path = tmp_path / "out" / "junit.xml"
    junit.write(path, samples.CHECKS)
    root = ET.parse(path).getroot()  # noqa: S314 - our own
    assert {key: root.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    assert [suite.get("name") for suite in root] == ["Server startup", "Virtual environment"]
    passed, failed, skipped = root.iter("testcase")
    assert passed.get("name") == "startup.starts"
    assert passed.get("time") == "0.840"
    assert passed.findtext("system-out") == "exit code 0"
    assert failed.findtext("failure") == "no such line\nlast: x"
    assert skipped.find("skipped") is not None
    assert list(path.parent.iterdir()) == [path]


def test_evidence_may_hold_anything(tmp_path: Path) -> None:
    hostile = CheckResult("x.y", "<G&>", "t", "fail", "\x00\x1b]]> \udcff \ufffe & <\N{SNAKE}")
    junit.write(tmp_path / "j.xml", [hostile])
    told = ET.parse(tmp_path / "j.xml").findtext(".//failure")  # noqa: S314 - our own
    assert told == r"\x00\x1b]]> \udcff \ufffe & <" + "\N{SNAKE}"


def test_a_file_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedError) as caught:
        junit.write(tmp_path / "file" / "j.xml", samples.CHECKS)
    assert caught.value.code == "junit-not-written"
    assert caught.value.hint
