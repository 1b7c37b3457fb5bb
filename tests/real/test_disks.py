"""Full and read-only file systems, really mounted; a machine without means: told, refused, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinic import flow
from tests.conftest import ROOT
from tests.real.creators import VENV, bases
from tests.real.patients import MARKER, Patient, fingerprint, furnish
from tests.real.visits import Project, around, codes
from tests.real.wheels import Site, rebuilt

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a small file system is mounted as Linux does it")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    if complaint := _run("mount", "-t", "tmpfs", "-o", "size=16M", "clinic", place):
        pytest.skip(f"nothing can be mounted here: {complaint}")
    yield place
    assert not _run("umount", place)


def _run(program: str, *words: object) -> str:
    """Run a program of the system; what it complains of."""
    found = shutil.which(program)
    if found is None:
        return f"there is no {program}"
    done = subprocess.run([found, *map(str, words)], capture_output=True, text=True, check=False)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


@pytest.fixture
def project(small: Path, tmp_path: Path) -> tuple[Project, Patient]:
    """A project elsewhere, with its environment there."""
    base = bases()[-1]
    venv = VENV.make(base, small / "env")
    furnish(venv)
    patient = Patient(venv, base, VENV, None, tmp_path)
    return around(Project(tmp_path / "invoke.yaml"), patient), patient


def test_a_full_disk_is_degraded_and_loses_nothing(project: tuple[Project, Patient]) -> None:
    told, patient = project
    assert codes(flow.diagnose(told.settings).data) == []
    free = shutil.disk_usage(patient.venv).free
    (patient.venv.parent / "much").write_bytes(bytes(free - 4096))
    result = flow.diagnose(told.settings)
    assert codes(result.data) == ["disk-full"]
    assert (result.outcome, result.data["options"]) == ("sick", ())
    assert result.data["next_actions"][0].command.startswith("fix by hand: the disk is full")
    assert MARKER not in result.data["next_actions"][0].why


def test_a_disk_without_inodes_is_told(project: tuple[Project, Patient]) -> None:
    told, patient = project
    folder = patient.venv.parent
    assert not _run("mount", "-o", "remount,nr_inodes=1000", folder)
    left = os.statvfs(folder).f_favail
    for number in range(left - 3):
        (folder / f"file{number}").touch()
    (finding,) = flow.diagnose(told.settings).data["findings"]
    assert finding.code == "disk-full"
    assert finding.evidence[0].startswith("3 more files can be made")


def test_an_environment_in_the_layer_of_a_container_image_is_rebuilt(small: Path, tmp_path: Path) -> None:
    """Overlayfs does not rename a folder of a lower layer: EXDEV."""
    image = Site(tmp_path / "image")
    flow.rebuild(image.settings, wheelhouse=image.wheelhouse)
    (image.venv / "notes.txt").write_text("mine", encoding="utf-8")
    container, upper, work = tmp_path / "container", small / "upper", small / "work"
    for folder in (container, upper, work):
        folder.mkdir()
    layers = f"lowerdir={image.root},upperdir={upper},workdir={work}"
    if complaint := _run("mount", "-t", "overlay", "overlay", "-o", layers, container):
        pytest.skip(f"no overlay can be mounted here: {complaint}")
    try:
        site = Site(container)
        rebuilt(site)
        assert flow.diagnose(site.settings, deep=True).outcome == "healthy"
        assert flow.undo(site.settings, yes=True).outcome == "cured"
        assert (site.venv / "notes.txt").read_text(encoding="utf-8") == "mine"
    finally:
        assert not _run("umount", container)
    assert (image.venv / "notes.txt").is_file()


@pytest.mark.parametrize("command", ["diagnose", "heal"])
def test_a_run_out_of_descriptors_is_no_damage(tmp_path: Path, command: str) -> None:
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "env")
    furnish(venv)
    told = around(Project(tmp_path / "invoke.yaml"), Patient(venv, base, VENV, None, tmp_path))
    before = fingerprint(venv)
    words = [sys.executable, "-m", "invoke", "-f", str(told.file), command, "--json"]
    limited = ["/bin/sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *words]
    done = subprocess.run(limited, cwd=ROOT, capture_output=True, timeout=120, check=False)
    envelope = json.loads(done.stdout)
    assert (done.returncode, envelope["errors"][0]["code"]) == (2, "too-many-files"), envelope
    assert "Nothing was looked at" in envelope["errors"][0]["message"]
    assert fingerprint(venv) == before


def test_what_keeps_a_question_from_being_asked_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process can be started: neither the environment's python nor its base has said anything."""
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "env")
    furnish(venv)
    told = around(Project(tmp_path / "invoke.yaml"), Patient(venv, base, VENV, None, tmp_path))

    def none_left(*_words: object, **_options: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none_left)
    with pytest.raises(BlockingIOError):
        flow.diagnose(told.settings)


def test_a_read_only_disk_is_advice_and_a_repair_says_so(project: tuple[Project, Patient]) -> None:
    told, patient = project
    patient.cfg.unlink()
    assert not _run("mount", "-o", "remount,ro", patient.venv.parent)
    before = fingerprint(patient.venv)
    found = {finding.code: finding.severity for finding in flow.diagnose(told.settings).data["findings"]}
    assert found == {"cfg-missing": "fatal", "disk-read-only": "advice"}
    code, envelope = told.command("fix-cfg")
    assert (code, envelope["errors"][0]["code"]) == (2, "disk-read-only"), envelope
    assert fingerprint(patient.venv) == before
