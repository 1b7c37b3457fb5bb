"""Which distributions and which paths a finding is about: what a remedy needs to know beyond its words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from clinic.anatomy.pth import folders
from clinic.checks import package_files, packages, scripts, start_up
from clinic.checks.hurt import Hurt, packages_of
from clinic.facts import Facts, Tree
from clinic.model import Finding

_BY_HURT: Mapping[str, Hurt] = {
    "dist-duplicate": package_files.duplicates,
    "metadata-broken": package_files.broken_metadata,
    "record-missing": package_files.lost_records,
    "record-outside": package_files.outside,
    "extension-wrong-abi": package_files.aliens,
    "dist-files-missing": package_files.missing_files,
    "dist-files-altered": package_files.altered_files,
    "script-missing": scripts.missing,
    "script-stale": scripts.stale,
    "launcher-stale": scripts.stale_launchers,
}


_SPELLING = frozenset(
    {"cfg-key-case", "cfg-line-ends", "cfg-include-odd", "cfg-duplicate-key", "cfg-home-decoy", "cfg-second"}
)


def makes_cfg_untrue(finding: Finding) -> bool:
    """Whether pyvenv.cfg is not true because of it, be it only advice: the checklist fails, so `heal` acts on it."""
    if finding.code.startswith("venv-"):
        return finding.severity != "advice"
    return finding.code.startswith("cfg-") and finding.code not in _SPELLING


def distributions(code: str, facts: Facts) -> tuple[str, ...]:
    """The distributions to install anew because of this finding, by canonical name."""
    have = _installed(facts.tree)
    if code == "dist-missing":
        return tuple(name for name, _ in facts.locked if name not in have)
    if code == "dist-other-version":
        return tuple(name for name, version in facts.locked if name in have and have[name] != {version})
    if code == "pip-broken":
        return ("pip",) if packages_of(facts).pip else ()
    if code in _BY_HURT:
        return tuple(dict.fromkeys(name for name, _ in _BY_HURT[code](facts) if name))
    return ()


def _installed(tree: Tree | None) -> dict[str, set[str]]:
    have: dict[str, set[str]] = {}
    for each in tree.distributions if tree else ():
        have.setdefault(each.name, set()).add(each.version)
    return have


def requirements(code: str, facts: Facts) -> tuple[tuple[str, str], ...]:
    """What is required and not there: name, and the requirement as METADATA says it."""
    if code != "requirement-missing":
        return ()
    concerned = {name for name, _ in packages.unmet(facts)}
    locked = dict(facts.locked)
    lines = (line for each in packages_of(facts).installed if each.name in concerned for line in each.unmet)
    return tuple({name: line.partition(";")[0].strip() for name, line, _ in lines if name not in locked}.items())


def in_the_way(code: str, facts: Facts) -> tuple[str, ...]:
    """Paths that only hurt where they are: no installer removes them."""
    return tuple(map(str, _IN_THE_WAY[code](facts))) if code in _IN_THE_WAY else ()


def _wrong_extensions(facts: Facts) -> list[str]:
    return [f"{facts.tree.site_packages}/{each.path}" for each in packages_of(facts).aliens] if facts.tree else []


def _undecodable(facts: Facts) -> list[str]:
    return [str(each.path) for each in packages_of(facts).path_files if each.problem == "undecodable"]


_IN_THE_WAY: Mapping[str, Callable[[Facts], Iterable[object]]] = {
    "leftover-tilde": lambda facts: packages_of(facts).leftovers,
    "pyc-corrupt": lambda facts: packages_of(facts).bytecode,
    "pth-undecodable": _undecodable,
    "pth-failing": start_up.in_the_way,
    "sitecustomize-failing": start_up.customizations,
    "extension-wrong-abi": _wrong_extensions,
}


def vanished(code: str, facts: Facts) -> tuple[str, ...]:
    """Editable installs whose project is gone."""
    if code != "pth-dangling":
        return ()
    seen = packages_of(facts)
    owners = {each.owner for each in seen.path_files if each.problem == "dangling" and each.owner}
    return tuple(sorted(owners | {each.name for each in seen.installed if each.project_gone}))


def dead_lines(code: str, facts: Facts) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`.pth` files that nobody owns, and their lines that lead nowhere."""
    if code != "pth-dangling":
        return ()
    return tuple(
        (str(each.path), each.details)
        for each in packages_of(facts).path_files
        if each.problem == "dangling" and not each.owner
    )


def without(text: str, dead: tuple[str, ...]) -> str:
    """A `.pth` file's text less its dead lines; empty where nothing else is in it."""
    kept = [line for line in text.splitlines(keepends=True) if line.rstrip() not in dead]
    rest = "".join(kept)
    return rest if any(folders(rest)) or "import" in rest else ""
