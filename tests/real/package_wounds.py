"""Every damage to packages that the clinic names. A new one enters itself here, and into pairs with all others."""

from __future__ import annotations

from tests.real import wounds_of_installs, wounds_of_packages
from tests.real.wounds_of_packages import PACKAGE_WOUNDS, PackageWound

__all__ = ["PACKAGE_WOUNDS", "PackageWound", "by_name", "wounds_of_installs", "wounds_of_packages"]


def by_name(name: str) -> PackageWound:
    """The wound of that name."""
    return next(entry for entry in PACKAGE_WOUNDS if entry.name == name)
