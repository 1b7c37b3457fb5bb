"""What an environment's own files name, on either platform; and a file in an environment's place."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from clinic.anatomy import layout
from clinic.checks import examine
from clinic.errors import RefusedError
from clinic.flow.patient import judge, patient
from clinic.flow.rescripting import rescript
from clinic.observe import observe
from clinic.observe.places import line_limit
from clinic.settings import Settings, load
from tests.anatomy.test_program import pe
from tests.anatomy.test_shebang_writer import launcher
from tests.real.creators import VENV, bases

posix = pytest.mark.skipif(sys.platform == "win32", reason="another platform's disk is read here")


@pytest.mark.parametrize(
    ("system", "release", "limit"),
    [
        ("linux", "6.18.44", 255),
        ("linux", "5.1.0-arch", 255),
        ("linux", "5.0.21", 127),
        ("linux", "4.19.0-26-amd64", 127),
        ("linux", "odd", 255),
        ("darwin", "23.1", 511),
        ("freebsd14", "14.0", 127),
    ],
)
def test_how_long_a_first_line_may_be(system: str, release: str, limit: int) -> None:
    assert line_limit(system, release) == limit


def test_a_home_without_an_answer_is_not_told_to_be_where_it_is(tmp_path: Path) -> None:
    """What lies in `home` did not answer: that is no reason to say that it lies in `home`."""
    base, venv = tmp_path / "base" / "bin", tmp_path / "env"
    base.mkdir(parents=True)
    VENV.make(bases()[-1], venv)
    shutil.copy("/bin/true" if os.name == "posix" else sys.executable, base / "python3")
    cfg = venv / "pyvenv.cfg"
    lines = [line for line in cfg.read_text("utf-8").splitlines() if not line.startswith("home")]
    cfg.write_text("\n".join([f"home = {base}", *lines]), encoding="utf-8")
    told = observe(venv).home
    assert told is not None
    assert told.below is None


@posix
def test_that_is_how_long_it_may_be_here(tmp_path: Path) -> None:
    """The kernel of this machine says so itself."""
    import subprocess

    limit = line_limit(sys.platform, os.uname().release)
    for extra, starts in ((0, True), (1, False)):
        folder = tmp_path / ("x" * 100)
        name = "y" * (limit + extra - len(f"#!{folder}/"))
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to(sys.executable)
        script = tmp_path / "script"
        script.write_text(f"#!{folder / name}\n", encoding="utf-8")
        script.chmod(0o755)
        try:
            assert starts == (subprocess.run([script], check=False, timeout=30).returncode == 0)
        except OSError:
            assert not starts


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    """An environment of Windows with a console script, read from POSIX the way a mounted disk is."""
    root = tmp_path / "disk" / "env"
    site, scripts = root / "Lib" / "site-packages", root / "Scripts"
    info = site / "tool-1.0.dist-info"
    info.mkdir(parents=True)
    scripts.mkdir()
    (scripts / "python.exe").write_bytes(pe() + bytes(1024))
    (scripts / "pythonw.exe").write_bytes(pe(subsystem=2) + bytes(1024))
    bat = '@for %%i in ("D:\\bridge\\env") do @set "VIRTUAL_ENV=%%~fi"\r\n'
    (scripts / "activate.bat").write_text(bat, encoding="utf-8")
    (root / "pyvenv.cfg").write_text(
        "home = C:\\Python313\ninclude-system-site-packages = false\nversion = 3.13.2\n", encoding="utf-8"
    )
    launcher(scripts, "D:\\bridge\\env\\Scripts\\python.exe").rename(scripts / "tool.exe")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[console_scripts]\ntool = package.module:main\n", encoding="utf-8")
    (info / "RECORD").write_text("../../Scripts/tool.exe,sha256=AAAA,1\ntool-1.0.dist-info/RECORD,,\n", "utf-8")
    return root


def found(venv: Path) -> list[tuple[str, str]]:
    """Codes and severities."""
    return [(finding.code, finding.severity) for finding in examine(observe(venv))]


@posix
def test_a_launcher_on_the_disk_of_another_platform(windows: Path) -> None:
    assert found(windows) == []
    path = windows / "Scripts" / "tool.exe"
    path.unlink()
    launcher(windows / "Scripts", "C:\\elsewhere\\Scripts\\python.exe").rename(path)
    assert found(windows) == [("launcher-stale", "degraded")]


@posix
def test_a_windows_path_with_an_accent_is_advice(windows: Path) -> None:
    bat = windows / "Scripts" / "activate.bat"
    bat.write_text('@set "VIRTUAL_ENV=D:\\Zo\u00eb\\env"\r\n', encoding="utf-8")
    (windows / "Scripts" / "tool.exe").unlink()
    launcher(windows / "Scripts", "D:\\Zo\u00eb\\env\\Scripts\\python.exe").rename(windows / "Scripts" / "tool.exe")
    assert found(windows) == [("venv-path-not-ascii", "advice")]


def project(folder: Path, path: str = "auto") -> Settings:
    """A project whose environment is configured so."""
    folder.mkdir(exist_ok=True)
    tree = {"environment": {"path": path, "requirements": "none.txt", "imports": []}}
    (folder / "invoke.yaml").write_text(json.dumps({"clinic": tree}), encoding="utf-8")
    return load(folder, folder / "invoke.yaml", {})


@posix
def test_what_cannot_be_proved_here_is_refused(windows: Path, tmp_path: Path) -> None:
    path = windows / "Scripts" / "tool.exe"
    path.unlink()
    before = launcher(windows / "Scripts", "C:\\elsewhere\\Scripts\\python.exe").rename(path).read_bytes()
    with pytest.raises(RefusedError, match="another platform"):
        rescript(project(tmp_path / "project", str(windows)))
    assert path.read_bytes() == before


@posix
@pytest.mark.parametrize("text", ["{0}", "{0}\n", "../elsewhere/an env\n"])
def test_a_file_in_the_environments_place_is_followed(tmp_path: Path, text: str) -> None:
    venv = VENV.make(bases()[-1], tmp_path / "elsewhere" / "an env")
    told = project(tmp_path / "project")
    (tmp_path / "project" / "ai").mkdir()
    file = tmp_path / "project" / "ai" / ".venv"
    file.write_text(text.format(venv).replace("../elsewhere", "../../elsewhere"), encoding="utf-8")
    for who in (patient(told), patient(told, file), patient(project(tmp_path / "project", "ai/.venv"))):
        assert (who.venv, who.own) == (venv, True)
        assert judge(who, who.look()).findings == ()


@posix
@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        (".venv", b"/srv/gone/env\n", "venv-redirect-dangling"),
        (".venv", b"../gone\n", "venv-redirect-dangling"),
        (".venv", b"", "venv-not-a-folder"),
        (".venv", b"two\nlines\n", "venv-not-a-folder"),
        (".venv", b"\xff\xfe", "venv-not-a-folder"),
        ("env", b"/srv/gone/env\n", "venv-not-a-folder"),
    ],
)
def test_a_file_that_leads_nowhere(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(data)
    who = patient(project(tmp_path / "project"), tmp_path / name)
    assert who.venv == tmp_path / name
    assert [finding.code for finding in judge(who, who.look()).findings] == [code]
    assert (tmp_path / name).read_bytes() == data


def test_a_folder_is_no_redirect(tmp_path: Path) -> None:
    assert layout.named_in_file(tmp_path) is None
    assert layout.redirected(tmp_path) == tmp_path
