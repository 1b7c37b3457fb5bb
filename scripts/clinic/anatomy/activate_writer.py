"""Activation scripts made to name another place, each in its shell's own spelling.

As the creators write them: what a creator would have written at the new place is what comes out (measured: byte for
byte with venv, virtualenv and uv, but for a prompt that is the name of the old folder). A path that the old spelling
can't say safely is spelled so that the shell takes it word for word.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import PurePosixPath

Spelling = Callable[[str], str]


def can_say(name: str, path: str) -> bool:
    """Whether the shell of the script of that name has a spelling for a path."""
    return not set(path) & set("\n\r\0") and not (name.lower().endswith(".bat") and '"' in path)


def is_made(name: str, path: str) -> bool:
    """Whether virtualenv writes the script of that name there: cmd.exe reads some characters in spite of quotes."""
    return can_say(name, path) and not (name.lower().endswith(".bat") and set(path) & set('&|<>^!"\x1a'))


def respelled(name: str, text: str, old: str, new: str) -> str | None:
    """The script of that name with the new path for the old one; None where its shell can't say the new one."""
    suffix = PurePosixPath(name.lower()).suffix
    if not can_say(name, new):
        return None
    if suffix == ".bat":
        return "".join(_batch(line, old, new) for line in text.splitlines(keepends=True))
    pairs = [(before(old), after(new)) for before, after in _spellings(suffix, old)]
    table = dict(reversed(pairs))  # where two spellings of the old path are one, the first counts
    pattern = "|".join(_whole(spelled) for spelled in dict(pairs))
    return re.sub(pattern, lambda match: table[match[0]], text)


def _whole(spelled: str) -> str:
    """A spelling as a pattern; one without quotes must not be a piece of a longer word."""
    if spelled[-1] in "'\"#":
        return re.escape(spelled)
    return rf"(?<![\w./'\"-]){re.escape(spelled)}(?![\w./'-])"


def _spellings(suffix: str, old: str) -> list[tuple[Spelling, Spelling]]:
    """How the old path may be spelled, and how the new one is then."""
    single, unsafe = {
        ".csh": (_csh, '"$`\\!'),
        ".fish": (_fish, '"$\\'),
        ".nu": (_nu_raw, ""),
        ".xsh": (ascii, ""),
    }.get(suffix, (_sh, '"$`\\'))
    found: list[tuple[Spelling, Spelling]] = [(single, single)]
    if suffix == ".nu":
        return [*found, (_sh, lambda path: f"'{path}'" if "'" not in path else _nu_raw(path))]
    if suffix == ".xsh":
        return found
    found += [(_sh, single), (_double, lambda path: single(path) if set(path) & set(unsafe) else _double(path))]
    if shlex.quote(old) == old:  # as `shlex.quote` leaves it
        found.append((str, lambda path: path if shlex.quote(path) == path else single(path)))
    return found


def _double(path: str) -> str:
    return f'"{path}"'


def _sh(path: str) -> str:
    return "'" + path.replace("'", "'\"'\"'") + "'"


def _csh(path: str) -> str:
    """History is expanded between single quotes too (virtualenv)."""
    return _sh(path).replace("\\", "'\\\\'").replace("!", "'\\!'")


def _fish(path: str) -> str:
    escaped = re.sub(r"[\\']", lambda match: f"'\\{match[0]}'", path)
    return f"'{escaped}'"


def _nu_raw(path: str) -> str:
    sharps = "#" * (max((len(run) for run in re.findall("#+", path)), default=0) + 1)
    return f"r{sharps}'{path}'{sharps}"


def _batch(line: str, old: str, new: str) -> str:
    """`%` is said twice, and twice again for what `call` reads a second time; some creators left it as it is."""
    sign = "%%%%" if "@call" in line.lower() else "%%"
    spelled = "|".join(re.escape(old.replace("%", each)) for each in (sign, "%"))
    return re.sub(rf'(?<=[="])(?:{spelled})(?=["\\\r\n]|\Z)', lambda _match: new.replace("%", sign), line)
