"""A new environment from a lock: made beside the old one, proved there, and only then put into its place.

The old one is kept in the stash, whole; taking the rebuild back is two renames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from clinic import fs
from clinic.anatomy import activate_writer, layout
from clinic.errors import FailedError, of_the_machine
from clinic.facts import Interpreter, Platform
from clinic.records import Transaction
from clinic.remedies import foreign, path_length, proof, settle, staging
from clinic.remedies.install import Source, find_uv, install

NAME = "rebuild"


class Shown(Protocol):
    """Where it is told what is going on (see `clinic.report.progress`)."""

    def step(self, title: str) -> None:
        """Begin a step."""

    def detail(self, text: str) -> None:
        """Say what the step is at."""


@dataclass(frozen=True)
class Draft:
    """What will be made, and where."""

    venv: Path
    base: Interpreter
    sources: tuple[Source, ...]
    expected: proof.Expected
    include: bool = False
    prompt: str | None = None
    pip: bool = False
    foreign: tuple[Path, ...] = ()


@dataclass
class Built:
    """A proved environment in its staging place."""

    place: staging.Staging
    installer: str = ""
    kept: foreign.Carried = field(default_factory=foreign.Carried)
    notes: list[str] = field(default_factory=list)


def build(draft: Draft, place: staging.Staging, shown: Shown) -> Built:
    """Make the environment in its staging place and prove it.

    Raises FailedError or MachineError; nothing else was touched then.
    """
    try:
        return _build(draft, place, shown)
    except OSError as error:
        _refuse_long([error.filename] if isinstance(error.filename, str) else [])
        known = of_the_machine(error, "The old environment was not touched.")
        if known:
            raise known from error
        raise FailedError(
            "build-interrupted",
            f"The new environment could not be written: {error.strerror or error} ({error.filename or place.folder})."
            " The old one was not touched.",
            "invoke rebuild",
        ) from error


def _refuse_long(paths: Iterable[str]) -> None:
    if found := path_length.too_long(paths, path_length.limit()):
        raise FailedError(
            path_length.CODE,
            f"{path_length.message(found)}. The old environment was not touched.",
            path_length.hint(found[1]),
        )


def _build(draft: Draft, place: staging.Staging, shown: Shown) -> Built:
    built = Built(place)
    shown.step(f"Making an environment of Python {draft.base.version_text or draft.base.dotted}")
    staging.create(place, draft.base, include=draft.include, prompt=draft.prompt, pip=draft.pip)
    built.notes += _left_out_by_virtualenv(place.final, layout.here())
    for source in draft.sources:
        shown.step(f"Installing {source.requirements.name}")
        _install(place, source, built, shown)
    dist_infos = proof.site_packages(place.root, draft.base).glob("*.dist-info")
    _refuse_long(path_length.installed_files(place.root, dist_infos, place.root))
    if draft.foreign:
        shown.step("Carrying over what is not from any package")
        foreign.carry(draft.venv, place.root, list(draft.foreign), built.kept)
    shown.step("Proving it")
    _settle(draft, built, settle.candidates(place.root, layout.here()))
    try:
        _prove(draft, built)
    except FailedError as error:
        if error.code != _ALTERED or built.installer != "uv" or any(source.offline for source in draft.sources):
            raise
        _past_the_cache(draft, built, shown)
    return built


def _left_out_by_virtualenv(venv: Path, platform: Platform) -> list[str]:
    if platform == "posix" or activate_writer.is_made("activate.bat", str(venv)):
        return []
    return [f"there is no activate.bat: cmd.exe can't take a path like {venv}; PowerShell can"]


def _install(place: staging.Staging, source: Source, built: Built, shown: Shown) -> None:
    with _relative_launchers(place):
        built.installer = install(place.python, source, shown.detail)


def _past_the_cache(draft: Draft, built: Built, shown: Shown) -> None:
    """Once more, without uv's cache: it hands out what somebody edited in place through a hard link (measured)."""
    shown.step("Installing again, past uv's cache: its files are not what their RECORD says")
    for source in draft.sources:
        _install(built.place, replace(source, fresh=True), built, shown)
    _settle(draft, built, settle.candidates(built.place.root, layout.here()))
    _prove(draft, built)


class _relative_launchers:  # noqa: N801 - reads as the statement that it is
    """uv's Windows launchers hold the interpreter's path in a resource; relative to themselves, they fit any place."""

    def __init__(self, place: staging.Staging) -> None:
        self.cfg = place.root / layout.CFG
        self.needed = layout.here() == "windows" and find_uv() is not None

    def __enter__(self) -> None:
        if self.needed:
            self.before = self.cfg.read_bytes()
            fs.write_atomically(self.cfg, self.before + b"relocatable = true\n", durable=False)

    def __exit__(self, *_: object) -> None:
        if self.needed:
            fs.write_atomically(self.cfg, self.before, durable=False)


def _settle(draft: Draft, built: Built, files: Sequence[Path]) -> None:
    """Make files name the final place. A script that can't be is left out: what it would start is somewhere else."""
    place = built.place
    changed, stuck = settle.settle(files, place.segment)
    scripts = [path for path in stuck if path.parent == layout.scripts_folder(place.root, layout.here())]
    for path in scripts:
        fs.remove(path)
        built.notes.append(f"{path.name} was left out: it names the place where it was made, and that can't be changed")
    settle.correct_records(proof.site_packages(place.root, draft.base), {**changed, **dict.fromkeys(scripts)})
    _must_hold(
        [f"{path} holds its own path in a form that can't be changed" for path in stuck if path not in scripts],
        "The new environment can't be moved to its place",
    )


def _prove(draft: Draft, built: Built) -> None:
    """Prove it; with foreign modules and start-up files if it holds with them, without them if it only holds so."""
    objections = _objections(draft, built)
    if objections and (suspects := [path for path in built.kept.carried if "site-packages" in path.parts]):
        why = f"with it the new environment does not prove itself: {objections[0]}"
        foreign.take_back(built.place.root, suspects, why, built.kept)
        objections = _objections(draft, built)
    _must_hold(objections, "The new environment does not hold")


_ALTERED = "files-altered"


def _objections(draft: Draft, built: Built) -> list[str]:
    place = built.place
    objections, reading = proof.prove(place.root, draft.expected, place.segment, skip=built.kept.carried)
    if reading.named:
        _settle(draft, built, reading.named)
    return objections


def _must_hold(objections: list[str], title: str) -> None:
    if objections:
        more = f" (and {len(objections) - 1} more)" if len(objections) > 1 else ""
        altered = all(objection.endswith(proof.ALTERED) for objection in objections)
        raise FailedError(
            _ALTERED if altered else "not-proved",
            f"{title}: {objections[0]}{more}. The old one was not touched.",
            "invoke rebuild",
        )


def swap(change: Transaction, built: Built) -> None:
    """Put the new environment into its place; the old one goes to the backup."""
    # The staging folder stays until it is over: to be put back there takes no space on a full disk.
    change.swap(built.place.root, built.place.final, built.kept.carried)
