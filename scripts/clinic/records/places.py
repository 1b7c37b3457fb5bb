"""Where the paths of a receipt may lead: into its environment, its backup, and the staging folder beside it.

A receipt names them relative to these places, so that it means the project that it is read in and no other: not the
original of a copy, and nothing that somebody may have written into it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clinic.errors import RefusedError

ID = re.compile(r"\d{8}T\d{6}\.\d{6}-[a-z]+(?:-[a-z]+)*-[0-9a-f]{4}")
STAGING = re.compile(r"\.clinic-[0-9a-f]{8}")
"""As `remedies.staging` names the folder in which something is made."""
STASH, NEAR = "stash", ".clinic-stash"


def is_staged(path: Path) -> bool:
    """Whether a path is in a staging folder, where new things are made."""
    return any(STAGING.fullmatch(part) for part in path.parts)


@dataclass(frozen=True)
class Places:
    """The places of one environment, as one project has them."""

    records: Path
    venv: Path

    def home(self, *, near: bool) -> Path:
        """The folder of all backups: below the records, or beside the environment (another filesystem)."""
        return self.venv.parent / NEAR if near else self.records / STASH

    def spelled(self, path: Path) -> str:
        """A path as receipts have it. Raises RefusedError for one that is outside of all places."""
        name = self.kind(path)
        spelling = f"{name}:{path.relative_to(self._folders()[name]).as_posix()}" if name else ""
        if self._meant(spelling) is None:
            raise outside(path, self.venv)
        return spelling

    def kind(self, path: Path) -> str:
        """The name of the place that a path is in; empty if it is in none."""
        return next((name for name, folder in self._folders().items() if path.is_relative_to(folder)), "")

    def path(self, spelling: object) -> Path:
        """The path that a receipt means. Raises ValueError for one that no receipt of ours has."""
        path = self._meant(spelling)
        if path is None:
            raise ValueError(f"{spelling!r} is not a place of this environment")
        return path

    def _folders(self) -> dict[str, Path]:
        return {
            "stash": self.records / STASH,
            "near": self.venv.parent / NEAR,
            "environment": self.venv,
            "beside": self.venv.parent,  # last: it holds the others; staging folders only, see _meant
        }

    def _meant(self, spelling: object) -> Path | None:
        if not isinstance(spelling, str) or "\0" in spelling or (os.name == "nt" and set(spelling) & set("\\")):
            return None
        name, _, rest = spelling.partition(":")
        folder, relative = self._folders().get(name), PurePosixPath(rest)
        if folder is None or relative.is_absolute() or ".." in relative.parts or (os.name == "nt" and ":" in rest):
            return None
        first = relative.parts[0] if relative.parts else ""
        if name in {"stash", "near"} and not (ID.fullmatch(first) and len(relative.parts) > 1):
            return None
        if name == "beside" and not (STAGING.fullmatch(first) and len(relative.parts) > 1):
            return None
        return folder.joinpath(*relative.parts)

    def in_environment(self, path: Path) -> None:
        """Raise RefusedError for a path that is not in the environment, or is led out of it by a link."""
        if self.kind(path) != "environment":
            raise outside(path, self.venv)
        self.must_hold(path)

    def must_hold(self, path: Path) -> None:
        """Raise RefusedError where links lead a path out of its place: what it is about may be somebody else's."""
        if path == self.venv:
            return
        place = self._folders().get(self.kind(path), path)
        if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(place)):
            raise outside(path, self.venv)


def outside(path: Path, venv: Path) -> RefusedError:
    """What is said of a path that is not ours to change."""
    return RefusedError(
        "outside-environment",
        f"{path} leads to {os.path.realpath(path.parent)}, outside of the environment {venv}, and may be somebody"
        " else's. Nothing there was touched.",
        "invoke diagnose",
    )
