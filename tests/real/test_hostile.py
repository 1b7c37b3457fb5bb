"""Hostile content in an environment: told, escaped on the terminal, and harmless beyond the environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from clinic import interpreters
from clinic.flow.look import diagnose
from clinic.flow.reinstalling import reinstall
from clinic.flow.rescripting import rescript
from clinic.remedies import pieces
from clinic.report import show
from tests.real.creators import VENV, bases, uv
from tests.real.packed import PackedWard, looked, remove, settings_around, site_of
from tests.real.patients import Patient, fingerprint
from tests.real.visits import codes, summary
from tests.report.samples import pipe, written

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]

Hurt = Callable[[Patient], None]


@pytest.fixture
def patient(packed: PackedWard) -> Patient:
    """A healthy environment with packages."""
    return packed.patient(VENV, bases()[-1])


def _info(patient: Patient, name: str = "beta-2.0") -> Path:
    return site_of(patient) / f"{name}.dist-info"


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _bytecode_pipe(patient: Patient) -> None:
    cache = site_of(patient) / "__pycache__"
    cache.mkdir(exist_ok=True)
    _pipe(cache / f"beta.cpython-{patient.base.flavour.major}{patient.base.flavour.minor}.pyc")


PIPES: dict[str, tuple[Hurt, list[str]]] = {
    "METADATA": (lambda patient: _pipe(_info(patient) / "METADATA"), ["metadata-broken"]),
    "RECORD": (lambda patient: _pipe(_info(patient) / "RECORD"), ["record-missing"]),
    "entry_points": (lambda patient: _pipe(_info(patient) / "entry_points.txt"), ["dist-files-missing"]),
    "direct_url": (lambda patient: _pipe(_info(patient) / "direct_url.json"), []),
    "module": (lambda patient: _pipe(site_of(patient) / "native" / "__init__.py"), ["dist-files-missing"]),
    "script": (lambda patient: _pipe(patient.venv / "bin" / "beta-tool"), ["script-missing"]),
    "activate": (lambda patient: _pipe(patient.venv / "bin" / "activate"), ["activate-damaged"]),
    "bytecode": (_bytecode_pipe, ["pyc-corrupt"]),
}


@pytest.mark.parametrize("name", PIPES)
def test_nobody_waits_for_a_pipe(
    packed: PackedWard, patient: Patient, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "IMPORT_SECONDS", 2.0)
    hurt, expected = PIPES[name]
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    hurt(patient)
    started = time.perf_counter()
    assert codes(looked(told)) == expected
    if expected:
        cure = (
            rescript
            if expected == ["activate-damaged"]
            else partial(reinstall, wheelhouse=packed.stock(patient.base).folder)
        )
        assert summary(cure(told)) == ("cured", 0)
        assert codes(looked(told)) == []
    assert time.perf_counter() - started < 20


def test_a_pth_that_is_a_pipe_is_told_and_put_aside(packed: PackedWard, patient: Patient, tmp_path: Path) -> None:
    """site.py itself would wait for it, for ever."""
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    _pipe(site_of(patient) / "waits.pth")
    found = looked(told, deep=False).findings
    assert [(finding.code, finding.severity) for finding in found] == [("pth-failing", "fatal")], found
    assert summary(reinstall(told, wheelhouse=packed.stock(patient.base).folder)) == ("cured", 0)
    assert codes(looked(told)) == []


def test_a_record_of_fifty_megabytes_takes_no_minute(packed: PackedWard, patient: Patient, tmp_path: Path) -> None:
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    row = "beta-2.0.dist-info/never_there_{}.pyc,,\n"
    with (_info(patient) / "RECORD").open("a", encoding="utf-8") as stream:
        stream.writelines(row.format(number) for number in range(1_200_000))
    assert (_info(patient) / "RECORD").stat().st_size > 50_000_000
    started = time.process_time()
    assert codes(looked(told, deep=False)) == []
    assert time.process_time() - started < 30


def test_a_record_and_metadata_without_end_are_cut(packed: PackedWard, patient: Patient, tmp_path: Path) -> None:
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    for path in (_info(patient) / "METADATA", _info(patient, "alpha-1.5") / "RECORD"):
        with path.open("ab") as stream:
            stream.truncate(512 * 1024**2)
    started = time.process_time()
    assert "dist-files-altered" in codes(looked(told, deep=False))
    assert time.process_time() - started < 30


ESCAPES = "\x1b[31mred\x1b]0;owned\x07\u202e"


def test_escape_sequences_do_not_reach_the_terminal(packed: PackedWard, patient: Patient, tmp_path: Path) -> None:
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    path = _info(patient, "native-0.3") / "METADATA"
    path.write_text(f"Name: {ESCAPES}\nVersion: {ESCAPES}\n", encoding="utf-8")
    record = _info(patient, "extra-3.1") / "RECORD"
    record.write_text(record.read_text("utf-8") + f"../../../../../{ESCAPES},sha256=A,1\n", encoding="utf-8")
    (site_of(patient) / f"{ESCAPES}.pth").write_text(f"/srv/{ESCAPES}\n", encoding="utf-8")
    patient.rewrite([f"home = /srv/{ESCAPES}", *patient.without("home"), f"{ESCAPES} = {ESCAPES}"])
    result = diagnose(told)
    assert {"metadata-broken", "record-outside", "pth-dangling", "cfg-home-gone"} <= set(codes(result.data))
    for as_json in (False, True):
        stream = pipe()
        show(result, stream=stream, as_json=as_json)
        assert not {"\x1b", "\x07", "\u202e"} & set(written(stream))


def _victim(patient: Patient) -> Path:
    folder = patient.venv.parent / "not yours"
    if folder.exists():
        remove(folder)
    (folder / "deep").mkdir(parents=True)
    (folder / "file.txt").write_text("not yours\n", encoding="utf-8")
    (folder / "deep" / "file.py").write_text("NOT = 'yours'\n", encoding="utf-8")
    return folder


def _by_dots(_patient: Patient, victim: Path) -> list[str]:
    return [f"../../../../{victim.name}/file.txt,sha256=AAAA,10", f"beta/../../../../../{victim.name}/deep/file.py,,"]


def _by_root(_patient: Patient, victim: Path) -> list[str]:
    return [f"{victim}/file.txt,sha256=AAAA,10", f"/{victim}/deep/file.py,sha256=AAAA,10"]


def _by_backslashes(_patient: Patient, victim: Path) -> list[str]:
    return [f"..\\..\\..\\..\\{victim.name}\\file.txt,sha256=AAAA,10"]


def _by_links(patient: Patient, victim: Path) -> list[str]:
    (site_of(patient) / "door").symlink_to(victim)
    (patient.venv / "share").symlink_to(victim)
    return ["door/file.txt,sha256=AAAA,10", "door/deep/file.py,,", "../../../share/file.txt,sha256=AAAA,10"]


@pytest.mark.parametrize("way", [_by_dots, _by_root, _by_backslashes, _by_links])
def test_a_reinstall_removes_nothing_beyond_the_environment(
    packed: PackedWard,
    patient: Patient,
    tmp_path: Path,
    way: Callable[[Patient, Path], list[str]],
) -> None:
    """RECORD of a distribution that is to be installed anew names files of somebody else."""
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    victim = _victim(patient)
    record = _info(patient) / "RECORD"
    record.write_text(record.read_text("utf-8") + "\n".join(way(patient, victim)) + "\n", encoding="utf-8")
    (site_of(patient) / "beta.py").unlink()
    before = fingerprint(victim)
    assert "record-outside" in codes(looked(told))
    done = reinstall(told, only=["record-outside", "dist-files-missing"], wheelhouse=packed.stock(patient.base).folder)
    assert summary(done) == ("cured", 0), done
    assert fingerprint(victim) == before
    assert codes(looked(told)) == []


def test_files_that_only_a_record_claims_stay_where_they_are(
    packed: PackedWard, patient: Patient, tmp_path: Path
) -> None:
    """A RECORD may name any file of the environment; the wheel that is installed again brings none of these."""
    told = settings_around(tmp_path, patient, packed.stock(patient.base))
    mine = [patient.venv / name for name in ("notes/x.json", "share/mine.txt", "etc/mine.conf")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    record = _info(patient) / "RECORD"
    rows = [f"../../../{path.relative_to(patient.venv).as_posix()},sha256=AAAA,4" for path in mine]
    record.write_text(record.read_text("utf-8") + "\n".join(rows) + "\n", encoding="utf-8")
    (site_of(patient) / "beta.py").unlink()
    assert summary(reinstall(told, wheelhouse=packed.stock(patient.base).folder)) == ("cured", 0)
    assert [path.read_text(encoding="utf-8") for path in mine] == ["mine"] * 3
    assert (site_of(patient) / "beta.py").is_file()
    assert codes(looked(told)) == []


def test_data_files_that_the_wheel_brings_again_are_its_own(packed: PackedWard, patient: Patient) -> None:
    del packed
    site, prefix = site_of(patient), patient.venv.parent / "prefix"
    for name in ("share/theirs.txt", "share/mine.txt", "include/site/python3/beta.h"):
        (patient.venv / name).parent.mkdir(parents=True, exist_ok=True)
        (patient.venv / name).touch()
    (prefix / "share").mkdir(parents=True)
    (prefix / "share" / "theirs.txt").touch()
    record = _info(patient) / "RECORD"
    rows = "".join(
        f"../../../{name},,\n" for name in ("share/theirs.txt", "share/mine.txt", "include/site/python3/beta.h")
    )
    record.write_text(record.read_text("utf-8") + rows, encoding="utf-8")
    place = pieces.place_of(patient.venv, site, patient.venv / "bin")
    owned = {os.path.relpath(path, patient.venv) for path in pieces.own(place, [_info(patient)], (), prefix)}
    assert {"share/theirs.txt", "include/site/python3/beta.h", "bin/beta-tool"} <= owned
    assert "share/mine.txt" not in owned
    assert "share/theirs.txt" not in {
        os.path.relpath(path, patient.venv) for path in pieces.own(place, [_info(patient)])
    }
