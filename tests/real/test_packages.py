"""Packages of real environments, hurt and healed: one code each, the least cure, nothing else touched."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clinic.facts import Interpreter
from clinic.flow.case import Wish
from clinic.flow.healing import heal
from clinic.flow.reinstalling import reinstall
from clinic.flow.undoing import undo
from clinic.model import Result
from clinic.settings import Settings
from tests.real.creators import VENV, Creator, bases, creators, uv
from tests.real.package_wounds import PACKAGE_WOUNDS, PackageWound
from tests.real.packed import PackedWard, looked, settings_around, site_of
from tests.real.patients import Patient, fingerprint
from tests.real.visits import codes, name_of, summary

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]


def turns(cure: str) -> list[tuple[PackageWound, Interpreter, Creator]]:
    """Every wound that this cures, with creators and interpreters that take turns."""
    makers, pythons = creators(), bases()
    return [
        (wound, pythons[number % len(pythons)], makers[number * 2 % len(makers)])
        for number, wound in enumerate(PACKAGE_WOUNDS)
        if wound.cure == cure
    ]


def others(found: dict[str, tuple[object, ...]], wound_of: frozenset[str]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less what belongs to these distributions, and less wounds that belong to none."""
    mine = {
        "alpha": ("/alpha/", "/alpha-", "bin/alpha"),
        "beta": ("/beta.py", "/beta-", "bin/beta-", "/beta.cpython"),
        "native": ("/native/", "/native-"),
        "spaces-one": ("/spaces/one", "/spaces_one-"),
        "extra": ("/extra/", "/extra-", "bin/extra"),
        "helper": ("/helper.py", "/helper-"),
        "pip": ("/pip/", "/pip-", "bin/pip"),
        "editable": ("editable",),
    }
    parts = [part for name in wound_of for part in mine[name]] + ["~", ".pth", "/sitecustomize", "__pycache__"]
    return {name: what for name, what in found.items() if what[1] and not any(part in f"/{name}" for part in parts)}


def cure(told: Settings, wound_codes: list[str], packed: PackedWard, base: Interpreter) -> Result:
    return reinstall(told, only=wound_codes, wheelhouse=packed.stock(base).folder)


def base_site(base: Interpreter) -> dict[str, int]:
    """Sizes in the base's own site-packages."""
    site = base.prefix / "lib" / f"python{base.flavour}" / "site-packages"
    return {str(path.relative_to(site)): path.lstat().st_size for path in site.glob("*") if path.name != "__pycache__"}


@pytest.mark.parametrize(("wound", "base", "creator"), turns("reinstall"), ids=name_of)
def test_a_wound_is_named_cured_and_taken_back(
    packed: PackedWard, tmp_path: Path, wound: PackageWound, base: Interpreter, creator: Creator
) -> None:
    patient = packed.patient(creator, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    wound.inflict(patient)
    wounded, base_before = fingerprint(patient.venv), base_site(base)
    if not wound.deep:
        found = looked(told, deep=False).findings
        assert [(finding.code, finding.severity) for finding in found] == [(wound.code, wound.severity)], found
    found = looked(told).findings
    assert [(finding.code, finding.severity) for finding in found] == [(wound.code, wound.severity)], found
    assert "reinstall" in found[0].cured_by
    assert fingerprint(patient.venv) == wounded, "a look changed something"

    done = cure(told, [wound.code], packed, base)
    assert summary(done) == ("cured", 0), done
    assert codes(done.data["after"]) == []
    assert codes(looked(told)) == []
    healed = fingerprint(patient.venv)
    assert others(healed, wound.of) == others(wounded, wound.of)
    assert base_site(base) == base_before
    assert cure(told, [wound.code], packed, base).outcome == "unchanged"
    assert not list(patient.venv.parent.glob(".clinic-*"))

    assert undo(told, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded


@pytest.mark.parametrize(("wound", "base", "creator"), turns("rebuild"), ids=name_of)
def test_a_wound_that_a_rebuild_cures_is_taken_back_too(
    packed: PackedWard, tmp_path: Path, wound: PackageWound, base: Interpreter, creator: Creator
) -> None:
    patient = packed.patient(creator, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    wound.inflict(patient)
    wounded, base_before = fingerprint(patient.venv), base_site(base)
    found = looked(told).findings
    assert [(finding.code, finding.severity) for finding in found] == [(wound.code, wound.severity)], found
    done = heal(told, None, Wish(wheelhouse=str(packed.stock(base).folder)))
    assert summary(done) == ("cured", 0), done
    assert [receipt.remedy for receipt in done.data["receipts"]] == ["rebuild"]
    assert codes(done.data["after"]) == []
    assert codes(looked(told)) == []
    assert base_site(base) == base_before
    assert undo(told, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_healthy_environment_has_no_findings(packed: PackedWard, tmp_path: Path, creator: Creator) -> None:
    for base in bases():
        patient = packed.patient(creator, base)
        assert looked(settings_around(tmp_path, patient, packed.stock(base))).findings == ()


def test_a_file_of_ones_own_in_a_package_survives(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    mine = site_of(patient) / "alpha" / "data" / "mine.txt"
    mine.write_text("keep me\n", encoding="utf-8")
    (site_of(patient) / "alpha" / "core.py").unlink()
    assert summary(reinstall(told, wheelhouse=packed.stock(base).folder)) == ("cured", 0)
    assert mine.read_text(encoding="utf-8") == "keep me\n"


def test_what_cannot_be_fetched_leaves_everything(packed: PackedWard, tmp_path: Path) -> None:
    from clinic.errors import FailedError

    base = bases()[-1]
    patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    (site_of(patient) / "alpha" / "core.py").unlink()
    wounded = fingerprint(patient.venv)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FailedError):
        reinstall(told, wheelhouse=tmp_path / "empty")
    assert fingerprint(patient.venv) == wounded


def test_a_dry_run_touches_nothing(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    (site_of(patient) / "alpha" / "core.py").unlink()
    wounded = fingerprint(patient.venv)
    done = reinstall(told, dry_run=True)
    assert summary(done) == ("planned", 0)
    assert done.data["plan"] == ["reinstall alpha 1.5"]
    assert fingerprint(patient.venv) == wounded
    assert not (tmp_path / ".clinic").exists()


def test_nobody_reads_or_removes_beyond_the_environment(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    victim = patient.venv.parent / "victim.txt"
    victim.write_text("not yours\n", encoding="utf-8")
    before = victim.stat()
    site, record = site_of(patient), site_of(patient) / "extra-3.1.dist-info" / "RECORD"
    (site / "door").symlink_to(patient.venv.parent)
    rows = ["../../../../victim.txt,sha256=AAAA,10", f"{victim},sha256=AAAA,10", "door/victim.txt,sha256=AAAA,10"]
    record.write_text(record.read_text(encoding="utf-8") + "\n".join(rows) + "\n", encoding="utf-8")
    found = looked(told)
    assert codes(found) == ["record-outside"]
    assert summary(cure(told, ["record-outside"], packed, base)) == ("cured", 0)
    assert (victim.read_text(encoding="utf-8"), victim.stat().st_mtime_ns) == ("not yours\n", before.st_mtime_ns)
    assert (site / "door").is_symlink()


def test_a_metadata_without_end_is_not_read_to_it(packed: PackedWard, tmp_path: Path) -> None:
    import time

    base = bases()[-1]
    patient: Patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    path = site_of(patient) / "beta-2.0.dist-info" / "METADATA"
    with path.open("ab") as stream:
        stream.truncate(100 * 1024 * 1024)
    started = time.perf_counter()
    assert codes(looked(told, deep=False)) == ["dist-files-altered"]
    assert time.perf_counter() - started < 5
