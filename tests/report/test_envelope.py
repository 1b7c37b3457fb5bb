"""The envelope of the README: its keys, their order, and that nothing can keep it from being printed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.model import Diagnosis, Result
from clinic.report import show
from clinic.report.envelope import dumps, envelope, plain
from tests.report import samples

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_the_envelope_has_the_keys_of_the_contract_in_its_order() -> None:
    told = json.loads(dumps(samples.refused()))
    assert list(told) == ["clinic", "command", "outcome", "exit_code", "seconds", "data", "errors"]
    assert told["clinic"] == 1
    assert list(told["errors"][0]) == ["code", "message", "hint"]


def test_a_diagnosis_has_the_keys_of_the_contract_in_its_order() -> None:
    data = json.loads(dumps(samples.diagnosed()))["data"]
    assert list(data) == ["venv", "verdict", "findings", "options", "next_actions"]
    assert list(data["findings"][0]) == ["code", "severity", "title", "evidence", "causes", "cured_by"]
    assert list(data["findings"][0]["causes"][0]) == ["cause", "why"]
    assert list(data["options"][0]) == [
        "id",
        "recommended",
        "keeps_packages",
        "needs_network",
        "estimate_seconds",
        "advantages",
        "disadvantages",
    ]
    assert list(data["next_actions"][0]) == ["priority", "command", "why"]
    assert data["venv"] == str(samples.VENV)


def test_a_diagnosis_reads_the_same_as_a_noun_and_as_a_mapping() -> None:
    noun = Diagnosis(
        samples.VENV, "broken", (samples.LOST, samples.SHOUTING), (samples.FIX, samples.REBUILD), samples.NEXT
    )
    assert plain(noun) == plain(samples.BROKEN)


def test_receipts_and_checks_have_the_keys_of_the_contract() -> None:
    receipt = envelope(samples.cured())["data"]["receipts"][0]
    assert list(receipt) == ["remedy", "changed", "stash", "seconds", "outcome"]
    assert receipt["changed"] == [str(samples.VENV / "pyvenv.cfg")]
    assert list(plain(samples.CHECKS[0])) == ["id", "group", "title", "status", "evidence", "seconds"]


def test_values_that_json_does_not_know_become_values_that_it_does() -> None:
    @dataclass
    class Own:
        place: Path

    class Told:
        def as_json(self) -> dict[str, object]:
            return {"where": Path("x")}

    pair = namedtuple("pair", "a b")  # noqa: PYI024 - a tuple like any other
    assert plain({1: Own(Path("y")), "told": Told(), "set": {"b", "a"}, "pair": pair(1, 2.5)}) == {
        "1": {"place": "y"},
        "told": {"where": "x"},
        "set": ["a", "b"],
        "pair": [1, 2.5],
    }
    assert plain([float("nan"), float("inf"), True, None]) == [None, None, True, None]
    assert plain(RuntimeError("a bug")) == "a bug"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "cp437"])
def test_any_stream_can_take_the_envelope(encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = samples.pipe(encoding)
    hostile = samples.diagnosed(venv=Path("/srv/\N{SNAKE} \udcff é\x1b[31m"))
    assert show(hostile, as_json=True, stream=out) == 1
    text = samples.written(out)
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert json.loads(text)["data"]["venv"] == str(hostile.data["venv"])
    assert capsys.readouterr() == ("", "")


def test_with_json_notes_stay_silent(capsys: pytest.CaptureFixture[str]) -> None:
    show(Result("undo", "unchanged", 0, notes=("nothing to undo",)), as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out)["outcome"] == "unchanged"
    assert err == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.binary(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_whatever_a_command_hands_over_is_printed_as_one_line_of_ascii(value: object) -> None:
    text = dumps(Result("x", "healthy", 0, {"value": value}))
    assert text.isascii()
    assert len(text.splitlines()) == 1
    json.loads(text)


def test_json_never_loads_rich_and_the_room_opens_at_once() -> None:
    program = (
        "import sys, clinic.report; light = set(sys.modules)\n"
        "from clinic.model import Result\n"
        "clinic.report.show(Result('status', 'healthy', 0, {}), as_json=True)\n"
        "clinic.report.steps(as_json=True).step('quiet')\n"
        "print(sorted({'rich', 'json', 'dataclasses'} & light), 'rich' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[] False"
