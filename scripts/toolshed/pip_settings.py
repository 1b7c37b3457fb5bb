"""What a person has told pip about where packages come from, told to uv as well: uv does not read pip's settings.

Standard library only; used for the tool environment and for the managed one.
"""

from __future__ import annotations

import ast
import os
import re

from toolshed import uv_settings

ELSEWHERE = frozenset(
    {
        *("target", "prefix", "root", "user", "python", "src", "dry-run", "break-system-packages", "config-file"),
        *("require-virtualenv", "platform", "python-version", "implementation", "abi"),
    }
)
"""Settings that say where to, or for which other python."""


def uv_has_its_own() -> bool:
    """Whether the person has told uv itself: then pip's settings are not for it."""
    own = r"UV_(DEFAULT_|EXTRA_)?INDEX|UV_FIND_LINKS|UV_CONFIG_FILE"
    return any(re.match(own, name) for name in os.environ) or any(path.is_file() for path in uv_settings.files())


def listed(output: str) -> dict[str, str]:
    """Return what `pip config list` says and what PIP_ variables say, which win."""
    found: dict[str, str] = {}
    # "install" comes after "global", and wins.
    for key, value in re.findall(r"^(?:global|install)\.([\w-]+)=('.*'|\".*\")\r?$", output, re.MULTILINE):
        found[key] = str(ast.literal_eval(value))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            found[name[4:].lower().replace("_", "-")] = value
    return found


def neutral(told: dict[str, str]) -> dict[str, str]:
    """Variables that say to pip what the person has told it, all but where to; its files are then not read.

    No flag takes a `target` or `prefix` of a pip.conf back; what `pip config list` says of them all can be said anew.
    """
    kept = {key: value for key, value in told.items() if key not in ELSEWHERE}
    return {"PIP_CONFIG_FILE": os.devnull, **{f"PIP_{key.upper().replace('-', '_')}": kept[key] for key in kept}}


def translated(pip: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Say the same to uv as pip was told: flags, and variables for what may hold a password."""
    flags = [word for place in pip.get("find-links", "").split() for word in ("--find-links", place)]
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        flags.append("--no-index")
    flags += [word for host in pip.get("trusted-host", "").split() for word in ("--allow-insecure-host", host)]
    names = {"UV_DEFAULT_INDEX": "index-url", "UV_INDEX": "extra-index-url", "SSL_CERT_FILE": "cert"}
    variables = {name: pip[key] for name, key in names.items() if key in pip and name not in os.environ}
    if "UV_INDEX" in variables:
        # As pip does it. Harmless here: nothing without one of our hashes is installed.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "proxy" in pip and not {"ALL_PROXY", "HTTPS_PROXY", "https_proxy"} & set(os.environ):
        variables["ALL_PROXY"] = pip["proxy"]
    return flags, variables
