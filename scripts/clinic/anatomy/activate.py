"""What the activation scripts remember: where the environment lies, and its prompt. Measured on every creator.

venv up to 3.13 writes values between double quotes without escaping anything; venv 3.14 and virtualenv quote like
`shlex.quote`; uv quotes paths like shlex and prompts not at all; `.bat` files have `set "NAME=value"` or no quotes, or
`for %%i in ("value")`. fish and csh escape some characters between quotes, nushell has raw texts, xonsh Python's.
"""

from __future__ import annotations

import re
import shlex
from ast import literal_eval
from pathlib import PurePosixPath, PureWindowsPath

_SET = re.compile(
    r'^[ \t]*(?:@?set[ \t]+"?|export[ \t]+)?(VIRTUAL_ENV(?:_PROMPT)?)=(.*?)[ \t]*\r?$', re.MULTILINE | re.IGNORECASE
)
_OF_SHELL = {
    ".bat": re.compile(r'^[ \t]*@?for %%i in \("(.*?)"\) do @?set "VIRTUAL_ENV=%%~fi"', re.MULTILINE | re.IGNORECASE),
    ".csh": re.compile(r"^[ \t]*setenv VIRTUAL_ENV (.*?)[ \t]*\r?$", re.MULTILINE),
    ".fish": re.compile(r"^[ \t]*set -gx VIRTUAL_ENV (.*?)[ \t]*\r?$", re.MULTILINE),
    ".nu": re.compile(r"^[ \t]*(?:let|const) virtual_env = (.*?)[ \t]*\r?$", re.MULTILINE),
    ".xsh": re.compile(r"^[ \t]*self\.embedded_virtual_env = (.*?)[ \t]*\r?$", re.MULTILINE),
}
_PS1 = re.compile(r'^[ \t]*PS1="\((.*)\) \$\{PS1:?-\}"', re.MULTILINE)


def recorded_path(script: str) -> str | None:
    """The environment's path that an activation script holds, word for word; None where it computes it.

    A script of a relocatable environment computes its path, and Cygwin branches convert it: neither is a record.
    """
    return _first_absolute(_assigned(script, "VIRTUAL_ENV"))


def recorded_in(name: str, script: str) -> str | None:
    """The same for the activation script of that name, whichever shell it is for."""
    suffix = PurePosixPath(name.lower()).suffix
    found = [_said(suffix, match[1]) for match in _OF_SHELL[suffix].finditer(script)] if suffix in _OF_SHELL else []
    if suffix in {"", ".bat"}:
        assigned = _assigned(script, "VIRTUAL_ENV")
        found += [_said(suffix, value) for value in assigned] if suffix else assigned
    return _first_absolute(found)


def _first_absolute(texts: list[str]) -> str | None:
    return next((t for t in texts if PurePosixPath(t).is_absolute() or PureWindowsPath(t).is_absolute()), None)


def prompt(script: str) -> str | None:
    """The prompt somebody chose; None where it is the default, the name of the folder."""
    told = next((text for text in _assigned(script, "VIRTUAL_ENV_PROMPT")), "")
    shown = re.fullmatch(r"\((.*)\) ", told)  # 3.10 to 3.12 store it as it is shown
    told = shown[1] if shown else told
    if not told and (drawn := _PS1.search(script)):
        told = "" if "${" in drawn[1] else drawn[1]
    return told if told and told != _folder_name(script) else None


def _assigned(script: str, name: str) -> list[str]:
    values = [match[2] for match in _SET.finditer(script) if match[1].upper() == name]
    return [_unquoted(value) for value in values if not value.startswith(("$", "`", '"$', "%"))]


def _unquoted(value: str) -> str:
    if value.startswith("'"):
        # csh and fish escape outside of the quotes: 'it'\''s', 'what'\!'' (virtualenv)
        try:
            return "".join(shlex.split(value))
        except ValueError:
            return value.strip("'")
    return value.removeprefix('"').removesuffix('"')


def _said(suffix: str, value: str) -> str:
    if suffix == ".bat":  # virtualenv doubles `%`; uv, and venv up to 3.13, leave it as it is
        return value.replace("%%", "%")
    if raw := re.fullmatch(r"r(#+)'(.*)'\1", value):
        return raw[2]
    if suffix == ".xsh":
        try:
            return str(literal_eval(value))
        except (ValueError, SyntaxError):
            return ""
    return _unquoted(value)


def _folder_name(script: str) -> str:
    path = recorded_path(script)
    if path is None:
        return ""
    return PurePosixPath(path).name if path.startswith("/") else PureWindowsPath(path).name
