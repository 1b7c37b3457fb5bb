"""The checklist as JUnit XML, for build servers."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from clinic import fs
from clinic.errors import FailedError
from clinic.report.screen import clean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from clinic.model import CheckResult


def write(path: Path, checks: Iterable[CheckResult]) -> None:
    """Write a report: one suite for each group, one case for each check. Raises FailedError where it can't be."""
    from xml.etree.ElementTree import tostring

    data = tostring(_report(list(checks)), encoding="utf-8", xml_declaration=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fs.write_atomically(path, data + b"\n", durable=False)  # a build server may be watching for the file
    except OSError as error:
        raise FailedError(
            "junit-not-written", f"{path} cannot be written: {error.strerror or error}.", "invoke validate --junit FILE"
        ) from error


def _report(checks: list[CheckResult]) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    root = Element("testsuites", {"name": "validate", **_figures(checks)})
    for group, members in groupby(checks, key=lambda check: check.group):
        cases = list(members)
        suite = SubElement(root, "testsuite", {"name": _text(group), **_figures(cases)})
        for check in cases:
            _case(suite, check)
    return root


def _figures(checks: list[CheckResult]) -> dict[str, str]:
    return {
        "tests": str(len(checks)),
        "failures": str(sum(check.status == "fail" for check in checks)),
        "errors": "0",
        "skipped": str(sum(check.status == "skip" for check in checks)),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }


def _case(suite: Element, check: CheckResult) -> None:
    from xml.etree.ElementTree import SubElement

    names = {"classname": _text(check.group), "name": _text(check.id), "time": f"{check.seconds:.3f}"}
    case = SubElement(suite, "testcase", names)
    evidence = _text(check.evidence)
    if check.status == "fail":
        SubElement(case, "failure", {"message": _text(check.title), "type": "check"}).text = evidence
    elif check.status == "skip":
        SubElement(case, "skipped", {"message": evidence})
    elif evidence:
        SubElement(case, "system-out").text = evidence


def _text(text: str) -> str:
    """Leave out what XML 1.0 has no way to say: most control characters, surrogates, two non-characters."""
    return "\n".join(clean(row) for row in text.splitlines()).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
