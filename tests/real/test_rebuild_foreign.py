"""Files that no creator or installer put into an environment's folder are found and carried over."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import MachineError
from clinic.remedies.foreign import foreign
from tests.real.creators import Creator, bases, creators
from tests.real.patients import fingerprint
from tests.real.wheels import Site

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project with a rebuilt environment."""
    site = Site(tmp_path / "project")
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    return site


def packages(site: Site) -> Path:
    """The environment's site-packages."""
    return next((site.venv / "lib").glob("*/site-packages"))


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_a_new_environment_holds_nothing_foreign(creator: Creator, tmp_path: Path) -> None:
    for base in (bases()[0], bases()[-1]):
        assert foreign(creator.make(base, tmp_path / f"{creator}-{base.flavour}")) == []


def test_nor_does_a_rebuilt_one(site: Site) -> None:
    assert foreign(site.venv) == []


def test_each_kind_is_carried_over(site: Site) -> None:
    (site.venv / "data" / "deep").mkdir(parents=True)
    (site.venv / "data" / "deep" / "file").write_text("1", encoding="utf-8")
    (site.venv / ".env").write_text("2", encoding="utf-8")
    (site.venv / "link").symlink_to("nowhere at all")
    (site.venv / "bin" / "my-tool").write_text("#!/bin/sh\necho mine\n", encoding="utf-8")
    (site.venv / "share").mkdir()
    (site.venv / "share" / "mine").touch()
    (packages(site) / "my_module.py").write_text("X = 1\n", encoding="utf-8")
    (packages(site) / "tinylib" / "local.cfg").write_text("3", encoding="utf-8")
    os.utime(site.venv / ".env", (1_000_000_000, 1_000_000_000))
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    carried = {path.as_posix() for path in result.data["carried"]}
    inside = packages(site).relative_to(site.venv).as_posix()
    assert carried == {
        ".env", "bin/my-tool", "data", "link", "share", f"{inside}/my_module.py", f"{inside}/tinylib/local.cfg"
    }  # fmt: skip
    assert result.data["left"] == []
    assert (site.venv / ".env").stat().st_mtime == 1_000_000_000
    assert os.readlink(site.venv / "link") == "nowhere at all"  # noqa: PTH115 - word for word
    assert foreign(site.venv)


@pytest.mark.parametrize("hashed", [False, True], ids=["no hash", "another hash"])
def test_a_data_file_that_a_record_claims_falsely_is_carried_over(site: Site, *, hashed: bool) -> None:
    thesis = site.venv / "share" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work", encoding="utf-8")
    with next(packages(site).glob("tinylib-*.dist-info/RECORD")).open("a", encoding="utf-8") as record:
        record.write(f"../../../share/thesis.txt,{'sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0' * hashed}\n")
        record.write("../../..,,\n")
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert [path.as_posix() for path in result.data["carried"]] == ["share"]
    assert thesis.read_text(encoding="utf-8") == "years of work"


def test_what_installers_left_behind_is_not(site: Site) -> None:
    (packages(site) / "~inylib").mkdir()
    (packages(site) / "__pycache__").mkdir(exist_ok=True)
    (packages(site) / "gone-1.0.dist-info").mkdir()
    script = (site.venv / "bin" / "tiny").read_bytes().replace(b"tinylib", b"gone")
    (site.venv / "bin" / "gone").write_bytes(script)
    assert foreign(site.venv) == []


def test_a_start_up_file_that_harms_stays_in_the_stash(site: Site) -> None:
    (packages(site) / "harm.pth").write_text("import no_such_module_at_all; raise SystemExit(7)\n", encoding="utf-8")
    (packages(site) / "sitecustomize.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert result.outcome == "cured"
    assert "sitecustomize.py" in {each["path"].name for each in result.data["left"]}
    assert (result.data["kept"]["path"] / site.venv.name).is_dir()
    assert not (packages(site) / "sitecustomize.py").exists()


def test_a_start_up_file_that_does_no_harm_comes_along(site: Site) -> None:
    (packages(site) / "paths.pth").write_text(f"{site.root}\n", encoding="utf-8")
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert [path.name for path in result.data["carried"]] == ["paths.pth"]


def test_a_pipe_stays(site: Site) -> None:
    os.mkfifo(site.venv / "pipe")
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert [each["path"].name for each in result.data["left"]] == ["pipe"]


def test_a_socket_in_a_folder_comes_along(site: Site) -> None:
    """Of a server behind a proxy, or of supervisor: reading it fails with ENXIO."""
    folder = site.venv / "run"
    folder.mkdir()
    (folder / "notes").write_text("mine", encoding="utf-8")
    os.mkfifo(folder / "pipe")
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as server:  # a socket's path may have 107 characters
        server.bind("app.sock")
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert (result.outcome, result.data["left"]) == ("cured", [])
    assert (folder / "notes").read_text("utf-8") == "mine"
    assert (stat.S_ISSOCK((folder / "app.sock").lstat().st_mode), (folder / "pipe").is_fifo()) == (True, True)


def test_a_full_disk_while_a_folder_is_carried_over_is_said_as_that(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.venv / "data" / "deep").mkdir(parents=True)
    (site.venv / "data" / "deep" / "thesis").write_text("mine", encoding="utf-8")
    before, copy2 = fingerprint(site.venv), shutil.copy2

    def copied(source: str | Path, target: str | Path, **more: bool) -> object:
        if Path(source).name == "thesis":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return copy2(source, target, **more)

    monkeypatch.setattr(shutil, "copy2", copied)
    with pytest.raises(MachineError) as full:
        flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert (full.value.code, full.value.exit_code) == ("disk-full", 2)
    assert "was not touched" in full.value.message
    assert fingerprint(site.venv) == before
