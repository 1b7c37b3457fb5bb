"""The environment's own interpreter: the file, and what it says when it is asked who it is."""

from __future__ import annotations

from clinic.anatomy.layout import python_in
from clinic.checks.base import Check, Evidence, always
from clinic.checks.cfg_form import FIX
from clinic.checks.place import REBUILD
from clinic.facts import Facts, File, Self, Silence
from clinic.model import Cause

_FILE = frozenset({"python-missing", "python-dangling", "python-truncated", "python-not-executable"})


def _python(facts: Facts) -> File | None:
    if facts.tree is None:
        return None
    wanted = python_in(facts.venv, facts.tree.platform).name
    return next((file for file in facts.tree.interpreters if file.path.name == wanted), None)


def missing(facts: Facts) -> Evidence:
    """No file of that name."""
    if facts.tree is None or _python(facts) is not None:
        return None
    return f"{python_in(facts.venv, facts.tree.platform)} is not there"


def dangling(facts: Facts) -> Evidence:
    """A link that leads nowhere."""
    python = _python(facts)
    if python is None or python.kind != "dangling-link" or facts.tree is None:
        return None
    ends = [file for file in facts.tree.interpreters if file.kind == "dangling-link"]
    return tuple(f"{file.path} is a link to {file.target}, which is not there" for file in ends)


def truncated(facts: Facts) -> Evidence:
    """Not the beginning of a program."""
    python = _python(facts)
    if python is None or python.kind != "file":
        return None
    if python.size == 0:
        return f"{python.path} is empty"
    if python.magic[:2] not in {b"MZ", b"#!"} and python.magic not in _MAGIC:
        return f"{python.path} is no executable: it starts with {python.magic.hex()}"
    return None


_MAGIC = {b"\x7fELF", *(bytes.fromhex(word) for word in ("feedface", "feedfacf", "cefaedfe", "cffaedfe", "cafebabe"))}


def not_executable(facts: Facts) -> Evidence:
    """Its execute bit is lost."""
    python = _python(facts)
    if python is None or python.kind != "file" or facts.tree is None or facts.tree.platform == "windows":
        return None
    return None if python.mode & 0o111 else f"{python.path} has lost its execute bit (mode {python.mode & 0o777:o})"


def silent(facts: Facts) -> Evidence:
    """It was asked who it is, and did not answer."""
    if not isinstance(facts.me, Silence):
        return None
    last = [line for line in facts.me.stderr.strip().splitlines() if line.strip()][-3:]
    return (f"{python_in(facts.venv)}: {facts.me.reason}", *(line for line in last if line not in facts.me.reason))


def stranger(facts: Facts) -> Evidence:
    """It answered, as another environment or as the base."""
    if not isinstance(facts.me, Self) or facts.me.is_itself:
        return None
    return f"{python_in(facts.venv)} says that its prefix is {facts.me.interpreter.prefix}"


def wrong_flavour(facts: Facts) -> Evidence:
    """It answered, as another version than the packages are for."""
    if not isinstance(facts.me, Self) or facts.flavour is None or facts.me.interpreter.flavour == facts.flavour:
        return None
    return f"its python is {facts.me.interpreter.flavour}, its packages are for {facts.flavour}"


def _of_gone_base(facts: Facts) -> tuple[Cause, ...]:
    python = _python(facts)
    target = python.target if python else ""
    return (
        Cause("base interpreter upgraded or gone", f"{target or 'its target'} is not there any more"),
        Cause("copied from another machine", "a link into a place that this machine does not have"),
    )


FILES = (
    Check("python-missing", "the interpreter is missing", missing, always("fatal"), REBUILD),
    Check("python-dangling", "the interpreter leads nowhere", dangling, always("fatal"), REBUILD, causes=_of_gone_base),
    Check("python-truncated", "the interpreter is not a program", truncated, always("fatal"), REBUILD),
    Check(
        "python-not-executable",
        "the interpreter may not be executed",
        not_executable,
        always("fatal"),
        REBUILD,
        frozenset({"python-truncated"}),
    ),
)
ANSWERS = (
    Check(
        "python-wrong-flavour",
        "the interpreter is of another version than its packages",
        wrong_flavour,
        always("fatal"),
        REBUILD,
        _FILE,
    ),
    Check("python-silent", "the interpreter does not start", silent, always("fatal"), FIX, _FILE, echo_of="dead"),
    Check(
        "python-stranger",
        "the interpreter is not the environment's own",
        stranger,
        always("fatal"),
        FIX,
        _FILE | {"python-wrong-flavour"},
        echo_of="stranger",
    ),
)
