"""The sessions of noxfile.py that belong to the suite: flags in, one command to its end, exit code out."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from clinic import door

ROOT = Path(__file__).resolve().parents[2]


def rebuild_venv(words: Sequence[str], folder: Path | None = None) -> int:
    """Rebuild the managed environment, as `invoke rebuild`. `folder` is where nox was called: paths start there."""
    told = _rebuild_flags().parse_args(list(words))
    place = folder or Path.cwd()
    from clinic import flow, report
    from clinic.model import Result
    from clinic.settings import load

    settings = cache(lambda: load(ROOT))

    def work() -> Result:
        with report.steps(as_json=told.json) as shown:
            return flow.rebuild(
                settings(),
                _at(place, told.venv),
                python=_spec(place, told.python),
                requirements=_at(place, told.requirements),
                wheelhouse=_at(place, told.wheelhouse),
                no_hashes=told.no_hashes,
                as_installed=told.as_installed,
                yes=told.yes,
                offline=told.offline,
                dry_run=told.dry_run,
                progress=shown,
            )

    return door.perform("rebuild", work, as_json=told.json, settings=settings)


def _rebuild_flags() -> ArgumentParser:
    flags = ArgumentParser("nox -s rebuild_venv --", description="A new environment from the lock.", allow_abbrev=False)
    flags.add_argument("--venv", help="the environment's folder (default: the configured one)")
    flags.add_argument("--python", metavar="SPEC", help="another interpreter: 3.13, 3.14t, a path")
    flags.add_argument("--requirements", metavar="FILE", help="another lock")
    flags.add_argument("--wheelhouse", metavar="DIR", help="install from this folder, without a network")
    flags.add_argument("--offline", action="store_true", help="install from caches, without a network")
    flags.add_argument("--as-installed", action="store_true", help="what was installed, instead of the lock")
    flags.add_argument("--no-hashes", action="store_true", help="accept requirements without hashes")
    flags.add_argument("--yes", action="store_true", help="replace an environment outside of the project")
    flags.add_argument("--dry-run", action="store_true", help="print the plan, touch nothing")
    flags.add_argument("--json", action="store_true", help="print the JSON envelope on stdout, nothing else")
    return flags


def wheelhouse(words: Sequence[str], folder: Path | None = None) -> int:
    """Fill a folder with the wheels of the lock, for rebuilds without a network."""
    told = _wheelhouse_flags().parse_args(list(words))
    place = folder or Path.cwd()
    from clinic import report
    from clinic.flow.wheelhouse import wheelhouse as fill
    from clinic.model import Result
    from clinic.settings import load

    def work() -> Result:
        with report.steps(as_json=told.json) as shown:
            return fill(
                load(ROOT),
                _at(place, told.folder),
                platforms=told.platform or (),
                python=_spec(place, told.python),
                requirements=_at(place, told.requirements),
                progress=shown,
            )

    return door.perform("wheelhouse", work, as_json=told.json)


def _wheelhouse_flags() -> ArgumentParser:
    flags = ArgumentParser("nox -s wheelhouse --", description="Download the lock's wheels.", allow_abbrev=False)
    flags.add_argument("folder", nargs="?", metavar="DIR", help="default: .clinic/wheelhouse")
    flags.add_argument(
        "--platform",
        action="append",
        metavar="TAG",
        help="win_amd64, manylinux_2_28_x86_64 and the like; may be repeated",
    )
    flags.add_argument("--python", metavar="VERSION", help="3.13, 3.14t and the like (default: as for a rebuild)")
    flags.add_argument("--requirements", metavar="FILE", help="another lock")
    flags.add_argument("--json", action="store_true", help="print the JSON envelope on stdout, nothing else")
    return flags


def _at(folder: Path, text: str | None) -> Path | None:
    return folder / Path(text).expanduser() if text else None


def _spec(folder: Path, text: str | None) -> str | None:
    """A path is one from the caller's folder; a version is none."""
    return str(folder / text) if text and ("/" in text or "\\" in text) else text
