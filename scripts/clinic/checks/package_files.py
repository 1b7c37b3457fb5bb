"""The files of distributions: dist-info whole, files there and as recorded, extensions that fit this python."""

from __future__ import annotations

from clinic.checks.base import Check, always
from clinic.checks.hurt import by_imports, counted, packages_of, singles, told, weighed
from clinic.checks.starters import OTHER_PYTHON
from clinic.facts import Facts
from clinic.model import Cause

Found = list[tuple[str, str]]
REINSTALL = ("reinstall", "rebuild")


def duplicates(facts: Facts) -> Found:
    """More than one dist-info for one distribution: which version is installed, nobody can say."""
    return [
        (name, f"{name} has {len(each)} dist-info folders: {', '.join(one.folder.name for one in each)}")
        for name, each in packages_of(facts).duplicates.items()
    ]


def broken_metadata(facts: Facts) -> Found:
    """METADATA missing, empty, or telling nonsense: installers no longer see the distribution."""
    return [(each.name, f"{each.folder}: {each.metadata}") for each in singles(facts) if each.metadata]


def lost_records(facts: Facts) -> Found:
    """RECORD missing, empty or unreadable: installers can neither remove nor replace the distribution."""
    return [
        (each.name, f"{each.folder}: {each.record}") for each in singles(facts) if each.record and not each.metadata
    ]


def missing_files(facts: Facts) -> Found:
    """Recorded, and not there; less what a wrong extension in its place and a lost pip explain."""
    instead = {_stem(alien.path) for alien in packages_of(facts).aliens}
    found = []
    for each in singles(facts):
        own_dist_info = {f"{each.folder.name}/METADATA"} if each.metadata else set()
        lost = [name for name in each.missing if _stem(name) not in instead and name not in own_dist_info]
        if lost and not _is_broken_pip(facts, each.name):
            found.append((each.name, counted(each.label, "missing", lost, each.folder.parent)))
    return found


def altered_files(facts: Facts) -> Found:
    """There, and not with the recorded content."""
    found = []
    for each in singles(facts):
        own = [name for name in each.altered if not (each.metadata and name == f"{each.folder.name}/METADATA")]
        if own and not _is_broken_pip(facts, each.name):
            found.append((each.name, counted(each.label, "not what RECORD says", own, each.folder.parent)))
    return found


def _is_broken_pip(facts: Facts, name: str) -> bool:
    return name == "pip" and bool(packages_of(facts).pip)


def _stem(path: str) -> str:
    """A path without the tags and the suffix behind the name of a module."""
    return path.partition(".")[0]


def aliens(facts: Facts) -> Found:
    """Extension modules of another version or threading build."""
    return [
        (alien.owner or _owner(facts, alien.path), f"{alien.path} is for Python {alien.made_for}, not {facts.flavour}")
        for alien in packages_of(facts).aliens
    ]


def _owner(facts: Facts, path: str) -> str:
    """The distribution that misses the right file in this one's place, else the one that its folder is named for."""
    stem = _stem(path)
    for each in packages_of(facts).installed:
        if any(_stem(name) == stem for name in each.missing):
            return each.name
    return _stem(path).partition("/")[0].replace("_", "-").lower()


def outside(facts: Facts) -> Found:
    """RECORD rows that lead out of the environment."""
    return [
        (each.name, f"RECORD of {each.label} names {each.outside[0]!r}, outside of the environment: it is not followed")
        for each in singles(facts)
        if each.outside
    ]


def leftovers(facts: Facts) -> Found:
    """What an interrupted installer had put aside."""
    return [("", f"{path} was left by an interrupted installer") for path in packages_of(facts).leftovers]


def bad_bytecode(facts: Facts) -> Found:
    """Cached bytecode that python would load and cannot."""
    return [("", f"{path} does not load") for path in packages_of(facts).bytecode]


def _interrupted(_facts: Facts) -> tuple[Cause, ...]:
    return (Cause("interrupted installer", "it removes the old one and writes the new one file by file"),)


def _lost(_facts: Facts) -> tuple[Cause, ...]:
    return (
        Cause("interrupted installer or deletion", "other distributions are whole"),
        Cause("deleted by hand, by a clean-up tool or by antivirus", "no installer leaves it like this"),
    )


def _edited(_facts: Facts) -> tuple[Cause, ...]:
    return (
        Cause("edited in place", "the file is there, with other content than was installed"),
        Cause("cut short", "a full disk or an interrupted copy"),
    )


CHECKS = (
    Check(
        "dist-duplicate",
        "distributions are installed twice",
        told(duplicates),
        weighed(duplicates),
        REINSTALL,
        causes=_interrupted,
    ),
    Check(
        "metadata-broken",
        "METADATA of distributions is broken",
        told(broken_metadata),
        weighed(broken_metadata),
        REINSTALL,
        causes=_lost,
    ),
    Check(
        "record-missing",
        "RECORD of distributions is missing",
        told(lost_records),
        weighed(lost_records, breaks_imports=False),
        REINSTALL,
        causes=_lost,
    ),
    Check(
        "extension-wrong-abi",
        "extension modules are for another Python",
        told(aliens),
        weighed(aliens),
        REINSTALL,
        OTHER_PYTHON,
    ),
    Check(
        "dist-files-missing",
        "files of distributions are missing",
        told(missing_files),
        weighed(missing_files),
        REINSTALL,
        causes=_lost,
    ),
    Check(
        "dist-files-altered",
        "files of distributions are not as installed",
        told(altered_files),
        weighed(altered_files),
        REINSTALL,
        causes=_edited,
    ),
    Check("pyc-corrupt", "cached bytecode does not load", told(bad_bytecode), by_imports, REINSTALL),
    Check(
        "record-outside", "a RECORD names files outside of the environment", told(outside), always("advice"), REINSTALL
    ),
    Check(
        "leftover-tilde",
        "an interrupted installer left something behind",
        told(leftovers),
        always("advice"),
        REINSTALL,
        causes=_interrupted,
    ),
)
BREAK_IMPORTS = (duplicates, broken_metadata, aliens, missing_files, altered_files)
