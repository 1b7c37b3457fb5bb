"""Where a rebuild puts nothing: no environment, somebody else's, or what holds more than an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import flow
from clinic.anatomy import layout
from clinic.errors import FailedError, RefusedError
from clinic.model import Result
from clinic.settings import Settings
from tests.real.creators import VENV, bases
from tests.real.patients import fingerprint
from tests.real.wheels import Site, leftovers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and mounts are POSIX's")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project."""
    return Site(tmp_path / "project")


def refused(site: Site, venv: Path | None = None, *, yes: bool = False) -> RefusedError:
    """What a rebuild is refused with, everything being as it was."""
    settings, before = site.settings, fingerprint(site.root)
    with pytest.raises(RefusedError) as caught:
        flow.rebuild(settings, venv, wheelhouse=site.wheelhouse, yes=yes)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert fingerprint(site.root) == before
    return caught.value


def built(site: Site, venv: Path | None = None, *, yes: bool = False) -> None:
    """A rebuild that is not refused."""
    assert flow.rebuild(site.settings, venv, wheelhouse=site.wheelhouse, yes=yes).outcome == "cured"


def test_a_file_at_the_place(site: Site) -> None:
    site.venv.write_text("mine", encoding="utf-8")
    assert "is not a folder" in refused(site).message


def test_a_link_that_leads_somewhere(site: Site, tmp_path: Path) -> None:
    VENV.make(bases()[-1], tmp_path / "elsewhere")
    site.venv.symlink_to(tmp_path / "elsewhere")
    told = refused(site)
    assert str(tmp_path / "elsewhere") in told.message
    assert (tmp_path / "elsewhere" / "pyvenv.cfg").is_file()


def test_a_link_that_leads_nowhere_is_a_start(site: Site) -> None:
    site.venv.symlink_to("nowhere")
    built(site)
    assert not site.venv.is_symlink()
    assert flow.undo(site.settings, yes=True).outcome == "cured"
    assert os.readlink(site.venv) == "nowhere"  # noqa: PTH115 - word for word


def test_the_projects_own_place_with_nothing_but_somebodys_files_is_a_start(site: Site) -> None:
    (site.venv / "data").mkdir(parents=True)
    (site.venv / "manifest.json").write_text("{}", encoding="utf-8")
    (site.venv / "data" / "link").symlink_to("../manifest.json")
    built(site)
    assert (site.venv / "manifest.json").read_text(encoding="utf-8") == "{}"
    assert (site.venv / "data" / "link").is_symlink()


def test_another_folder_without_an_environment(site: Site) -> None:
    other = site.root / "documents"
    other.mkdir()
    (other / "thesis.txt").touch()
    assert "without an environment" in refused(site, other, yes=True).message
    (other / "thesis.txt").unlink()
    built(site, other)


def test_a_folder_of_sources_that_the_settings_name_only_with_yes(site: Site) -> None:
    site.path = "src"
    (site.root / "src").mkdir()
    (site.root / "src" / "main.py").write_text("print()\n", encoding="utf-8")
    told = refused(site)
    assert (told.code, "without an environment" in told.message) == ("not-replaceable", True)
    built(site, yes=True)


def test_outside_of_the_project_only_with_yes(site: Site, tmp_path: Path) -> None:
    outside = VENV.make(bases()[-1], tmp_path / "outside")
    assert refused(site, outside).code == "outside-project"
    built(site, outside, yes=True)


@pytest.mark.parametrize("place", ["root", "ai", "requirements", "wheelhouse/..", "/", "~"])
def test_what_holds_more_than_an_environment(site: Site, place: str) -> None:
    named = {"root": site.root, "/": Path("/"), "~": Path.home()}.get(place, site.root / place)
    # The root folder may be where a distribution's python has its library, too.
    assert refused(site, named, yes=True).code in {"not-replaceable", *(["whole-python"] if place == "/" else [])}


def test_a_mount_point_in_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's volume for data or for a package that is worked on: a rebuild would move it to the stash."""
    built(site)
    place = site.venv / "data"
    monkeypatch.setattr("clinic.anatomy.ownership._mounted", lambda: [(Path("/"), "ext4"), (place, "nfs4")])
    assert f"{place} is a mount point" in refused(site).message


@pytest.mark.parametrize("command", [flow.fix_cfg, flow.rebuild, flow.heal, flow.undo])
def test_a_dry_run_refuses_a_records_folder_that_is_somebodys(site: Site, command: Callable[..., Result]) -> None:
    built(site)
    settings = site.settings
    shutil.rmtree(settings.records)
    settings.records.mkdir()
    (settings.records / "thesis.txt").touch()
    with pytest.raises(RefusedError, match=r"holds something else \(thesis\.txt\)"):
        command(settings, dry_run=True)
    assert [path.name for path in settings.records.iterdir()] == ["thesis.txt"]


def test_the_suites_own_environment(site: Site) -> None:
    assert "this suite itself runs in" in refused(site, Path(sys.prefix), yes=True).message


def test_a_python_installation(site: Site) -> None:
    assert refused(site, bases()[-1].prefix, yes=True).code == "whole-python"


COMMANDS: dict[str, Callable[[Settings], Result]] = {
    "diagnose": flow.diagnose,
    "fix-cfg": flow.fix_cfg,
    "relink": flow.relink,
    "rescript": flow.rescript,
    "reinstall": flow.reinstall,
    "rebuild": flow.rebuild,
    "heal": flow.heal,
    "heal --dry-run": lambda told: flow.heal(told, dry_run=True),
    "start": flow.start_server,
    "validate": lambda told: flow.validate(told, quick=True),
    "snapshot": flow.snapshot,
    "unblock": flow.unblock,
}


def _conda(venv: Path) -> None:
    (venv / "conda-meta").mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(bases()[-1].executable)


def _copied_base(venv: Path) -> None:
    """What a tarball of Python unpacks to, and a pyvenv.cfg that names itself, as somebody's repair may have left."""
    base = bases()[-1]
    library = venv / "lib" / f"python{base.flavour}"
    (venv / "bin").mkdir(parents=True)
    (library / "site-packages").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(base.executable)
    shutil.copy(Path(os.__file__), library / "os.py")
    (venv / "pyvenv.cfg").write_text(f"home = {venv / 'bin'}\n", encoding="utf-8")


def _embeddable(venv: Path) -> None:
    venv.mkdir(parents=True)
    for name in ("python.exe", "python313.zip", "python313._pth"):
        (venv / name).touch()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("lay", "what"),
    [(_conda, "a conda environment"), (_copied_base, "a Python installation"), (_embeddable, "an embeddable Python")],
    ids=["conda", "installation", "embeddable"],
)
def test_a_whole_python_is_nobodys_environment(
    site: Site, lay: Callable[[Path], None], what: str, command: str
) -> None:
    lay(site.venv)
    settings, before = site.settings, fingerprint(site.root)
    with pytest.raises(RefusedError) as caught:
        COMMANDS[command](settings)
    assert (caught.value.code, what in caught.value.message) == ("whole-python", True)
    assert fingerprint(site.root) == before


def test_the_old_virtualenvs_have_a_library_and_are_environments(tmp_path: Path) -> None:
    _copied_base(tmp_path)
    (library,) = (tmp_path / "lib").iterdir()
    assert layout.whole_python(tmp_path)
    (library / "orig-prefix.txt").touch()
    assert not layout.whole_python(tmp_path)


def test_no_lock_and_no_wheelhouse(site: Site) -> None:
    text = site.lock.read_text(encoding="utf-8")
    site.lock.unlink()
    assert refused(site).code == "lock-missing"
    site.lock.write_text(text, encoding="utf-8")
    shutil.rmtree(site.wheelhouse)
    assert refused(site).code == "wheelhouse-missing"


@pytest.fixture
def small_disk(tmp_path: Path) -> object:
    """A file system of 3 MB."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield place
    subprocess.run([shutil.which("umount") or "umount", "-l", str(place)], check=False)


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    site = Site(tmp_path / "project", path=str(small_disk / "here" / ".venv"))
    built(site)
    before = fingerprint(site.venv)
    filling = small_disk / "filling"
    with pytest.raises(OSError, match="No space left"):
        filling.write_bytes(b"x" * 4_000_000)
    with pytest.raises((FailedError, RefusedError)) as caught:
        flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert "No space left" in caught.value.message, caught.value.message
    filling.unlink()
    assert fingerprint(site.venv) == before
    assert leftovers(site) == []
    built(site)


def test_a_mount_point(tmp_path: Path, small_disk: Path) -> None:
    site = Site(tmp_path / "project", path=str(small_disk))
    assert "mount point" in refused(site).message


def test_auto_takes_the_highest_version_and_neither_backup_nor_base(tmp_path: Path) -> None:
    names = (
        *(".venv313.bak", ".venv313-old", ".venv3", ".venv3133", ".venv313T", ".venv39", ".venv310", ".venv313"),
        *(".venv313t", ".venv314", ".venv", "venv"),
    )
    for name in names:
        (tmp_path / "ai" / name / "bin").mkdir(parents=True)
        (tmp_path / "ai" / name / "bin" / "python").touch()
    order = [".venv314t", ".venv314", ".venv313t", ".venv313", ".venv310", ".venv39", ".venv", "venv"]
    assert [path.name for path in layout.candidates(tmp_path)] == order
    found = layout.locate(tmp_path, None)
    assert found is not None
    assert found.name == ".venv314"
    (found / "conda-meta").mkdir()
    found = layout.locate(tmp_path, None)
    assert found is not None
    assert found.name == ".venv313t"
