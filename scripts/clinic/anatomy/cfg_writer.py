"""The one writer of pyvenv.cfg.

What it writes is what every reader takes (measured): `home` on line 1, lower-case keys,
`key = value`, the folder that holds the base executable, an explicit system-site choice, UTF-8 without a mark, below
8 KB, each key once. What the old file said and is true stays: unknown keys, prompt, order, safe comments.
"""

from __future__ import annotations

from clinic.anatomy.cfg import Cfg, Line
from clinic.facts import Creator, Interpreter

INCLUDE = "include-system-site-packages"
_LINE_LIMIT = 1024
_TOTAL_LIMIT = 6 * 1024


def restored(  # noqa: PLR0913 - each has its default, and is given by name
    base: Interpreter,
    home: str,
    *,
    include: bool,
    old: Cfg | None = None,
    creator: Creator = "unknown",
    prompt: str | None = None,
    left: frozenset[str] = frozenset(),
) -> bytes:
    """The bytes of a true pyvenv.cfg for an environment of this base.

    `home` is the spelling to use for the base's folder; `prompt` is used where the old file names none; `left` are
    keys that stay as the old file has them, because somebody said so.
    """
    truth = _truth(base, include=include)
    body = _kept(old, {key: value for key, value in truth.items() if key not in left}) if old else []
    named = {line.name for line in body}
    for key in _dialect(creator, base, named):
        if key not in named and not (body and key in left):
            body.append(Line("", key, truth[key]))
    if prompt and "prompt" not in named:
        body.append(Line("", "prompt", prompt))
    end = "\r\n" if old and "\r\n" in old.text else "\n"
    lines = [f"home = {home}", *(_spelled(line) for line in body)]
    return (end.join(lines) + end).encode("utf-8")


def _spelled(line: Line) -> str:
    return line.text if line.key is None or line.is_comment else f"{line.name} = {line.value}".rstrip()


def _truth(base: Interpreter, *, include: bool) -> dict[str, str]:
    """Every key whose right value the base itself tells."""
    real = str(base.real)
    return {
        INCLUDE: "true" if include else "false",
        "implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(base.implementation, base.implementation),
        "version": base.dotted,
        "version_info": base.dotted,
        "executable": real,
        "base-executable": str(base.executable),
        "base-prefix": str(base.prefix),
        "base-exec-prefix": str(base.prefix),
    }


def _dialect(creator: Creator, base: Interpreter, named: set[str]) -> tuple[str, ...]:
    """Keys to add, in the order of the creator whose tree this is. A creator's own version can't be recovered."""
    if named & {"version", "version_info"}:
        return (INCLUDE,)
    if creator == "uv":
        return ("implementation", "version_info", INCLUDE)
    if creator == "virtualenv":
        return (
            "implementation",
            "version_info",
            "version",
            "executable",
            INCLUDE,
            "base-prefix",
            "base-executable",
        )
    return (INCLUDE, "version", "executable") if base.version >= (3, 11) else (INCLUDE, "version")


def _kept(old: Cfg, truth: dict[str, str]) -> list[Line]:
    """The old file's lines, in order: known keys made true, the rest as it was where it is safe."""
    kept: dict[str, Line] = {}
    total = 0
    lines = old.lines[:-1] if _breaks_off(old) else old.lines
    for number, line in enumerate(lines):
        if line.name == "home" or not _is_safe(line):
            continue
        if line.key is None or line.is_comment:
            name = f"# {number}"
        else:
            name = line.name
            line = Line("", line.name, _true_value(line, truth))  # noqa: PLW2901 - the same line, made true
        total += len(_spelled(line).encode("utf-8"))
        if total > _TOTAL_LIMIT:
            break
        kept[name] = line
    return list(kept.values())


def _breaks_off(old: Cfg) -> bool:
    """Whether the file was cut short: then its last line is a piece of one."""
    return old.ends_within_a_line and old.last(INCLUDE) is None


def _is_safe(line: Line) -> bool:
    text = line.text
    if len(text) > _LINE_LIMIT or "\ufffd" in text or not text.replace("\t", "").isprintable():
        return False
    if line.is_comment:
        return True
    # A line without `=` is no setting, and a blank one says nothing; a key with blanks in it is prose or wreckage.
    return bool(line.key) and " " not in str(line.key)


def _true_value(line: Line, truth: dict[str, str]) -> str:
    if line.name not in truth:
        return line.value
    if line.name == "version_info" and line.value.count(".") > 2:  # noqa: PLR2004 - 3.13.0.final.0, as virtualenv has it
        return truth["version_info"] + ".final.0"
    if line.name in {"version", "version_info"} and line.value.count(".") == 1:
        return truth["version"].rpartition(".")[0]  # uv records the minor alone for a base that it upgrades
    return truth[line.name]
