"""From findings to what is to be put aside and what is to be installed anew, in which version and from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic.anatomy import distinfo
from clinic.anatomy.lock import Pin
from clinic.checks import concerned
from clinic.facts import Distribution, Facts, Interpreter
from clinic.remedies import as_installed, ground, pieces
from clinic.remedies.as_installed import Wanted
from clinic.remedies.install import Source
from clinic.remedies.reinstall import Draft

CODES = (
    "dist-duplicate metadata-broken record-missing record-outside extension-wrong-abi dist-files-missing "
    "dist-files-altered dist-missing dist-other-version requirement-missing pip-broken script-missing script-stale "
    "leftover-tilde pyc-corrupt pth-undecodable pth-failing pth-dangling sitecustomize-failing"
)
"""What a reinstall or surgery cures."""


@dataclass(frozen=True)
class Prescription:
    """The draft, the distributions as requirements, and what people are to be told."""

    draft: Draft
    wanted: tuple[Wanted, ...] = ()
    notes: tuple[str, ...] = ()


def prescribe(facts: Facts, codes: Sequence[str], site: Path, scripts: Path) -> Prescription:
    """What these findings ask for. Raises RefusedError where a folder of it leads out of the environment."""
    ground.refuse_outside(facts.venv, site, scripts)
    names = {name for code in codes for name in concerned.distributions(code, facts)}
    wanted, notes = _wanted(facts, names, codes)
    chosen = {each.name for each in wanted}
    gone = {name for code in codes for name in concerned.vanished(code, facts)} - chosen
    aside = [Path(path) for code in codes for path in concerned.in_the_way(code, facts)]
    rewritten: list[tuple[Path, bytes]] = []
    for path, dead in (pair for code in codes for pair in concerned.dead_lines(code, facts)):
        rest = _less(Path(path), dead)
        if rest:
            rewritten.append((Path(path), rest))
        else:
            aside.append(Path(path))
    place = pieces.place_of(facts.venv, site, scripts)
    draft = Draft(
        venv=facts.venv,
        site=site,
        scripts=scripts,
        names=frozenset(chosen),
        versions={each.name: each.version for each in wanted if each.version},
        folders=_folders(facts, chosen),
        aside=(*dict.fromkeys(aside), *pieces.own(place, _folders(facts, gone))),
        rewritten=tuple(rewritten),
    )
    told = tuple(f"{name}: its project is gone, so it goes to the stash" for name in sorted(gone))
    return Prescription(draft, tuple(wanted), (*notes, *told))


def _less(path: Path, dead: tuple[str, ...]) -> bytes:
    text = distinfo.beginning(path, distinfo.HEADERS_LIMIT).decode("utf-8-sig", "replace")
    return concerned.without(text, dead).encode("utf-8")


def _folders(facts: Facts, names: set[str]) -> tuple[Path, ...]:
    return tuple(each.folder for each in (facts.packages.installed if facts.packages else ()) if each.name in names)


def _wanted(facts: Facts, names: set[str], codes: Sequence[str]) -> tuple[list[Wanted], list[str]]:
    """Each at its locked version, else at the recorded one, else at any that meets the requirement."""
    locked, installed = dict(facts.locked), facts.packages.installed if facts.packages else ()
    found, notes = [], []
    for name in sorted(names):
        mine = [each for each in installed if each.name == name]
        if name in locked:
            found.append(Wanted(name, locked[name]))
        elif any(each.project for each in mine):
            notes.append(f"{name} is an editable install of {mine[0].project}: install it again from there")
        elif name == "pip" and (wheel := _own_pip(facts)):
            found.append(wheel)
        elif mine:
            found.append(_as_recorded(name, [each.folder for each in mine], mine[-1].version))
        else:
            notes.append(f"{name}: nothing tells in which version it was installed")
    for name, line in (pair for code in codes for pair in concerned.requirements(code, facts)):
        if name not in {each.name for each in found}:
            found.append(Wanted(name, "", line))
            notes.append(f"{name}: no lock pins it, so the newest that meets {line!r} is taken, without a hash")
    return found, notes


def _as_recorded(name: str, folders: list[Path], version: str) -> Wanted:
    told, _ = as_installed.wanted([Distribution(name, version, folders[-1])], {})
    return told[0]


def _own_pip(facts: Facts) -> Wanted | None:
    """The wheel that virtualenv brings along: no index is needed for a pip."""
    from virtualenv.seed.wheels.embed import get_embed_wheel

    flavour = facts.flavour
    wheel = get_embed_wheel("pip", f"{flavour.major}.{flavour.minor}") if flavour else None
    if wheel is None:
        return None
    return Wanted("pip", wheel.version, f"pip @ {wheel.path.as_uri()}")


def sources(
    chosen: Prescription, pins: Sequence[Pin], base: Interpreter, source: Source, folder: Path
) -> tuple[list[Source], list[str]]:
    """Requirements files with hashes for what has them, without for the rest; and the names of that rest."""
    from dataclasses import replace

    hashes, bare = as_installed.hashed(chosen.wanted, pins, base, source, folder)
    with_hash = [each for each in chosen.wanted if each.name in hashes]
    found = []
    if with_hash:
        path = as_installed.write(with_hash, hashes, folder / "locked.txt")
        found.append(replace(source, requirements=path, hashes=True, complete=True))
    if bare:
        path = as_installed.write(bare, {}, folder / "without-hashes.txt")
        found.append(replace(source, requirements=path, hashes=False, complete=True))
    return found, [str(each) for each in bare if each.name != "pip"]
