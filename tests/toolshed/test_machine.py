"""What this machine lacks is refused with its reason and a hint, and the tools that are there go on working."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.toolshed.workbench import Clone, clone_at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="small file systems are mounted with Linux's mount")


MOUNT, UMOUNT = shutil.which("mount") or "mount", shutil.which("umount") or "umount"


def mount(*words: str) -> None:
    """Mount, or skip with the reason."""
    done = subprocess.run([MOUNT, *words], capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        pytest.skip(f"a file system of its own can't be mounted here: {done.stderr.strip()}")


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, of so many megabytes."""
    if not Path(MOUNT).exists():
        pytest.skip("there is no mount here")
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run([UMOUNT, "--lazy", str(folder)], check=True)


@pytest.fixture
def small(clone: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A clone with working tools on a small disk, whose lock has changed."""
    with mounted(tmp_path / "disk", 64) as disk:
        (disk / "it's é" / "scripts").mkdir(parents=True)
        mine = clone_at(disk / "it's é", clone.wheels, clone.env)
        assert mine.run("run", "first").returncode == 0
        shutil.copy(mine.root / "requirements" / "tools.txt", disk / "first.txt")
        mine.lock(("invoke", "2.0"), ("nox", "1.0"))
        yield mine


def fill(disk: Path, left: int) -> None:
    """Fill a disk, but for so many bytes."""
    free = shutil.disk_usage(disk).free
    with (disk / "ballast").open("wb") as file:
        file.write(b"\0" * max(0, free - left))


@pytest.mark.parametrize("left", [0, 4096, 65536])
def test_a_full_disk(small: Clone, left: int) -> None:
    fill(small.root.parent, left)
    refused = small.run("run", "second")
    assert (refused.returncode, "bootstrap: disk-full: " in refused.stderr) == (2, True), refused.stderr
    assert "free some space" in refused.stderr
    assert small.works()
    assert small.beside() == []
    (small.root.parent / "ballast").unlink()
    assert small.run("run", "third").returncode == 0


def test_a_first_run_on_a_full_disk(small: Clone) -> None:
    shutil.rmtree(small.tools)
    fill(small.root.parent, 0)
    refused = small.run("run", "second")
    assert (refused.returncode, "bootstrap: disk-full: " in refused.stderr) == (2, True), refused.stderr
    assert not small.tools.exists()


def test_a_read_only_disk(small: Clone) -> None:
    mount("-o", "remount,ro", str(small.root.parent))
    refused = small.run("run", "second")
    assert (refused.returncode, "bootstrap: not-writable: " in refused.stderr) == (2, True), refused.stderr
    assert "Read-only file system" in refused.stderr
    assert small.works()
    mount("-o", "remount,rw", str(small.root.parent))
    shutil.copy(small.root.parent / "first.txt", small.root / "requirements" / "tools.txt")
    mount("-o", "remount,ro", str(small.root.parent))
    assert small.run("run", "third").returncode == 0, "healthy tools need nothing to be written"


def test_tools_in_the_layer_of_a_container_image(small: Clone, tmp_path: Path) -> None:
    """Overlayfs does not rename what lies below."""
    above, work, merged = (tmp_path / "disk" / name for name in ("above", "work", "merged"))
    for folder in (above, work, merged):
        folder.mkdir()
    layers = f"lowerdir={small.root.parent / 'image'},upperdir={above},workdir={work}"
    (small.root.parent / "image").mkdir()
    place = small.root.rename(small.root.parent / "image" / "clone")
    mount("-t", "overlay", "overlay", "-o", layers, str(merged))
    try:
        inside = Clone(merged / place.name, small.wheels, small.env)
        made = inside.run("run", "second")
        assert (made.returncode, inside.works(), inside.beside()) == (0, True, []), made.stderr
        assert inside.run("run", "third").stderr == ""
    finally:
        subprocess.run([UMOUNT, "--lazy", str(merged)], check=True)


@pytest.mark.parametrize("kind", ["missing", "full"])
def test_of_healthy_tools_the_temporary_folder_says_nothing(clone: Clone, tmp_path: Path, kind: str) -> None:
    assert clone.run("run", "first").returncode == 0
    with without_temp(tmp_path, kind) as env:
        again = clone.run("run", "second", cwd=clone.root, **env)
        assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize("which", ["seeded", "clone"], ids=["by pip", "by uv"])
def test_without_a_temporary_folder(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    clone: Clone = request.getfixturevalue(which)
    assert clone.run("run", "first").returncode == 0
    clone.lock(("invoke", "2.0"), ("nox", "1.0"))
    with without_temp(tmp_path, "missing") as env:
        refused = clone.run("run", "second", cwd=clone.root, **env)
    assert (refused.returncode, "bootstrap: no-temp-folder: " in refused.stderr) == (2, True), refused.stderr
    assert "TMPDIR" in refused.stderr
    assert clone.works()
    assert clone.beside() == []


NOWHERE = """
import sys
sys.modules.pop("ensurepip", None)
import tempfile
tempfile._candidate_tempdir_list = lambda: ["/nowhere/at/all"]
"""


@contextmanager
def without_temp(tmp_path: Path, kind: str) -> Iterator[dict[str, str]]:
    """Variables for a machine without a temporary folder, or with one that is full."""
    if kind == "full":
        with mounted(tmp_path / "temp", 1) as folder:
            fill(folder, 0)
            yield {"TMPDIR": str(folder)}
    else:
        folder = tmp_path / "nowhere"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(NOWHERE, encoding="utf-8")
        yield {"PYTHONPATH": str(folder), "TMPDIR": "/nowhere/at/all"}
