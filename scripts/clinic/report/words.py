"""Durations, sizes, counts and moments in plain English."""

from __future__ import annotations

import time

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEP = 1024


def seconds(value: float) -> str:
    """Return a duration as precisely as it matters to a person."""
    if value < 0.0995:  # noqa: PLR2004 - from 0.1 s on, tenths say enough
        return f"{value * 1000:.0f} ms"
    if value < 9.95:  # noqa: PLR2004
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def about(value: float) -> str:
    """Return an estimate, which is not more precise than it is."""
    return f"about {value:.0f} s" if 1 <= value < _MINUTE else f"about {seconds(value)}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    value, units = float(count), ["bytes", "KB", "MB", "GB"]
    while value >= _STEP and len(units) > 1:
        value /= _STEP
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" or value >= 10 else f"{value:.1f} {units[0]}"  # noqa: PLR2004


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def moment(stamp: float) -> str:
    """Return a point in time as the clock on the wall shows it; the bare figure where it is no time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(stamp))
    except (OverflowError, ValueError, OSError):
        return str(stamp)


def yes_no(value: object) -> str:
    """Return a truth as a word."""
    return "yes" if value else "no"
