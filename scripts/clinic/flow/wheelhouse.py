"""Filling a folder with the wheels that a lock names, for this or another platform and Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clinic.errors import FailedError, RefusedError
from clinic.flow import drafting
from clinic.flow.drafting import Wish
from clinic.flow.patient import patient
from clinic.model import Result
from clinic.remedies import wheelhouse as remedy
from clinic.remedies.rebuild import Shown
from clinic.report.progress import Steps
from clinic.settings import Settings


def wheelhouse(
    settings: Settings,
    folder: Path | None = None,
    *,
    platforms: Sequence[str] = (),
    python: str | None = None,
    requirements: Path | None = None,
    progress: Shown | None = None,
) -> Result:
    """Download every wheel of the lock, hashes required; what is there already is checked, not fetched again."""
    shown = progress or Steps()
    path = drafting.requirements(settings, Wish(requirements=requirements))
    target = folder or settings.records / "wheelhouse"
    flavour = remedy.flavour_named(python) if python else None
    if flavour is None:
        facts = patient(settings).look(imports=False)
        flavour = drafting.choose(settings, facts, python).base.flavour
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(
            "not-writable", f"{target} cannot be made: {error.strerror}.", "name another folder"
        ) from error
    shown.step(f"Downloading the wheels of {path.name} for Python {flavour}")
    wheels = remedy.fill(target, path, flavour, platforms, shown.detail)
    if not wheels:
        raise FailedError("lock-empty", f"{path} pins nothing for Python {flavour}.", "nox -s lock")
    size = sum(wheel.stat().st_size for wheel in wheels)
    data = {
        "wheelhouse": target,
        "wheels": [wheel.name for wheel in wheels],
        "bytes": size,
        "python": str(flavour),
        "platforms": list(platforms),
    }
    return Result("wheelhouse", "healthy", 0, data)
