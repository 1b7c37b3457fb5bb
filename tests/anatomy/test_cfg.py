"""The parser of pyvenv.cfg against its readers: site.py's own loop, real interpreters, the launcher's rules."""

from __future__ import annotations

import codecs
import io
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clinic.anatomy import cfg as grammar
from clinic.facts import Interpreter
from tests.real.creators import VENV, bases, label
from tests.real.patients import Patient, effect

INCLUDE = "include-system-site-packages"


def site_py(raw: bytes) -> bool | None:
    """`site.venv` of CPython 3.13, word for word as far as the system-site choice goes."""
    system_site = "true"
    try:
        with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8") as f:
            for line in f:
                if "=" in line:
                    key, _, value = line.partition("=")
                    key = key.strip().lower()
                    value = value.strip()
                    if key == "include-system-site-packages":
                        system_site = value.lower()
    except UnicodeDecodeError:
        return None
    return system_site == "true"


KEYS = st.sampled_from(
    ["home", "HOME", INCLUDE, INCLUDE.upper(), f" {INCLUDE}\t", f"#{INCLUDE}", "\ufeff" + INCLUDE, "x"]
)
VALUES = st.sampled_from(["true", "TRUE", " false ", "yes", "", "a = b", "true # no", "\x0b", "é", "\U0001f40d"])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "", "\n\n", "\x0c", "\u2028"])
LINES = st.lists(st.tuples(KEYS, st.sampled_from(["=", " = ", ": ", "=="]), VALUES, ENDS).map("".join), max_size=8)
TEXTS = LINES.map("".join)


@given(st.binary(max_size=400))
def test_it_reads_any_bytes(raw: bytes) -> None:
    cfg = grammar.parse(raw)
    assert cfg.raw == raw
    assert all(line.text in cfg.text for line in cfg.lines)
    grammar.launcher_home(raw)


@given(st.one_of(TEXTS.map(lambda text: text.encode("utf-8")), st.binary(max_size=60)))
def test_the_choice_is_the_one_of_site_py(raw: bytes) -> None:
    assert grammar.site_includes_base(raw) == site_py(raw)


@given(TEXTS)
def test_plain_text_is_split_as_site_py_splits_it(text: str) -> None:
    cfg = grammar.parse(text.encode("utf-8"))
    if cfg.bom or cfg.encoding != "utf-8":
        return
    said = cfg.last(INCLUDE)
    assert (said is None or said.lower() == "true") == site_py(text.encode("utf-8"))


@given(TEXTS.filter(lambda text: "=" in text), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf16_with_a_mark_says_what_it_says(text: str, encoding: str) -> None:
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    cfg = grammar.parse(mark + text.encode(encoding))
    assert (cfg.encoding, cfg.bom, cfg.text) == (encoding, True, text)


@given(st.text(alphabet="äöüéèßñç", min_size=1, max_size=6), st.sampled_from(["cp1252", "cp850"]))
def test_a_code_page_is_told_from_its_letters(word: str, page: str) -> None:
    """Letters within a word tell a page; which of two is told, where both read it as letters, can't be known."""
    raw = f"home = /opt/M{word}ller\n".encode(page)
    assume(not _is_utf8(raw))
    cfg = grammar.parse(raw)
    assert cfg.encoding.startswith("cp")
    assert cfg.first("home") is not None
    if page == "cp1252":
        assert cfg.first("home") == f"/opt/M{word}ller"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


REAL = [
    b"home = {home}\ninclude-system-site-packages = false\n",
    b"home = {home}\ninclude-system-site-packages = true\n",
    b"home = {home}\nINCLUDE-SYSTEM-SITE-PACKAGES=TRUE\n",
    b"home = {home}\ninclude-system-site-packages = yes\n",
    b"home = {home}\ninclude-system-site-packages = true # no\n",
    b"home = {home}\ninclude-system-site-packages: true\n",
    b"home = {home}\n# include-system-site-packages = false\n",
    b"home = {home}\rinclude-system-site-packages = false\r",
    b"home = {home}\ninclude-system-site-packages = true\ninclude-system-site-packages = false",
    b"home = {home}\ninclude-system-site-packages = false\ninclude-system-site-packages = true",
    b"home = {home}\ninclude-system-site-packages = = true\n",
    b"\xef\xbb\xbfinclude-system-site-packages = false\nhome = {home}\n",
    b"home = {home}\nnote = \xff\n",
    b"",
]


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher reads it first")
@pytest.mark.parametrize("base", bases(), ids=label)
def test_real_interpreters_make_the_same_choice(tmp_path: Path, base: Interpreter) -> None:
    patient = Patient(VENV.make(base, tmp_path / "env"), base, VENV, None, tmp_path)
    for raw in REAL:
        data = raw.replace(b"{home}", str(base.home).encode())
        patient.cfg.write_bytes(data)
        seen, told = effect(patient), grammar.site_includes_base(data)
        assert (seen.leaks if seen.starts else None) == told, data


@pytest.mark.parametrize(
    ("raw", "home"),
    [
        (b"home = C:\\a\r\n", "C:\\a"),
        (b"home=C:\\a\nx = 1\n", "C:\\a"),
        (b"\xef\xbb\xbfhome = C:\\a\n", "C:\\a"),
        (b"x = 1\nhome = C:\\a b \r\n", "C:\\a b"),
        (b"home = C:\\a ", "C:\\a "),
        (b"HOME = C:\\a\n", None),
        (b"", None),
        (b"x = 1\n", None),
        (b"home =\r\nversion = 3\r\n", "version = 3"),
        (b"# my home = C:\\bad\nhome = C:\\a\n", "C:\\bad"),
        (b"prompt = home=C:\\bad\nhome = C:\\a\n", "C:\\bad"),
        (b"prompt = home\nhome = C:\\a\n", None),
        (b"prompt = home sweet\nhome = C:\\a\n", "C:\\a"),
        (b"prompt = home sweet\nnot home = C:\\b\nhome = C:\\a\n", "C:\\a"),
        (b"x" * 8190 + b"\nhome = C:\\a\n", None),
        ("home = C:\\a\n".encode("utf-16-le"), None),
    ],
)
def test_the_launcher_takes_the_first_home_it_meets(raw: bytes, home: str | None) -> None:
    """Each as it was measured with the launcher of 3.13.2, or as its source says."""
    assert grammar.launcher_home(raw) == home


@pytest.mark.parametrize(
    "data", [b"home = /a\n" + bytes(40), bytes(7) + b"\nhome = /a\n", b"home = /a\n" + bytes(5) + b"\nx = 1\n"]
)
def test_runs_of_nuls_between_lines_are_read_past(data: bytes) -> None:
    cfg = grammar.parse(data)
    assert (cfg.encoding, cfg.first("home")) == ("utf-8", "/a")


@pytest.mark.parametrize("data", [bytes(200), b"ho\0me = /a\n", b"\xff\xfe"])
def test_what_is_no_text_is_binary(data: bytes) -> None:
    assert (grammar.parse(data).encoding, grammar.parse(data).text) == ("binary", "")


@given(st.text(alphabet="ab=\n\r", max_size=12))
def test_it_knows_whether_the_last_line_has_an_end(text: str) -> None:
    cfg = grammar.parse(text.encode())
    assert cfg.ends_within_a_line == (bool(cfg.text) and text[-1:] not in {"\n", "\r"})


def test_the_first_home_and_the_last_choice_count() -> None:
    cfg = grammar.parse(f"home = /a\nhome = /b\n{INCLUDE} = true\n{INCLUDE} = false\n; home = /c\n".encode())
    assert (cfg.first("home"), cfg.last(INCLUDE), cfg.all("home")) == ("/a", "false", ("/a", "/b"))
