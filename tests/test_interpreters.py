"""Finding interpreters: what stands in their place, where they lie, and what answers though it is none."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from clinic import interpreters, probe, proc
from clinic.facts import Interpreter, Silence
from tests.real.creators import VENV, bases

posix = pytest.mark.skipif(os.name == "nt", reason="scripts with a shebang are POSIX's")


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_an_interpreter_says_who_it_is() -> None:
    base = bases()[-1]
    assert base.flavour.major == base.version[0] == 3
    assert base.dotted == ".".join(map(str, base.version))
    assert base.home == base.executable.parent
    assert not base.is_environment
    assert base.real.samefile(base.executable)


@posix
def test_a_script_in_its_place_leads_to_the_interpreter_itself(tmp_path: Path) -> None:
    base = bases()[-1]
    shim = script(tmp_path / "python3", f'exec "{base.executable}" "$@"\n')
    found = interpreters.identify(shim)
    assert isinstance(found, Interpreter)
    assert (found.executable, found.real) == (base.executable, base.real)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.exists, "is not there"),
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: path.symlink_to(path), "is not a file"),
        (lambda path: path.write_bytes(b""), "ermission|xec format"),
        (lambda path: script(path, "echo hello\n"), "exit code 0"),
        (lambda path: script(path, "echo no such thing >&2; exit 7\n"), "exit code 7: no such thing"),
        (lambda path: script(path, f"printf '{probe.MARK!s}'; echo '{{\"identity\": 1}}'\n"), "exit code 0"),
        (lambda path: script(path, f"printf '{probe.MARK!s}'; echo '[1]'\n"), "exit code 0"),
    ],
    ids=["nothing", "folder", "loop", "empty", "echo", "failing", "nonsense", "list"],
)
@posix
def test_what_is_no_interpreter_is_silent(tmp_path: Path, make: object, reason: str) -> None:
    assert callable(make)
    make(tmp_path / "python3")
    found = interpreters.identify(tmp_path / "python3")
    assert isinstance(found, Silence)
    assert any(part in found.reason for part in reason.split("|")), found.reason


def test_a_store_stub_is_not_run(tmp_path: Path) -> None:
    stub = tmp_path / "WindowsApps" / "python.exe"
    stub.parent.mkdir()
    stub.touch()

    def never(*_words: object, **_options: object) -> proc.Completed:
        raise AssertionError

    found = interpreters.identify(stub, run=never)
    assert isinstance(found, Silence)
    assert "Store" in found.reason


def test_a_python_that_takes_too_long_is_given_up() -> None:
    def slow(_argv: object, *, timeout: float) -> proc.Completed:
        return proc.Completed(None, "", "", timeout, f"no answer in {timeout:g} s")

    found = interpreters.identify(Path(sys.executable), run=slow)
    assert found == Silence("no answer in 10 s", None, "")


def test_find_leads_from_an_environment_to_its_base(tmp_path: Path) -> None:
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "env")
    inside = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert [found.real for found in interpreters.find(str(inside))] == [base.real]


def test_find_takes_a_flavour_by_its_word() -> None:
    for base in bases():
        found = next(interpreters.find(str(base.flavour)))
        assert found.flavour == base.flavour


@posix
def test_find_does_not_trust_a_name(tmp_path: Path) -> None:
    (tmp_path / "python3.99").symlink_to(bases()[-1].real)
    assert list(interpreters.find("3.99", env={"PATH": str(tmp_path)})) == []


def test_find_tells_each_once() -> None:
    found = list(interpreters.find(str(bases()[-1].flavour)))
    assert len({entry.real for entry in found}) == len(found)


def test_find_of_what_is_not_there_finds_nothing() -> None:
    assert list(interpreters.find("3.99")) == []
    assert list(interpreters.find(str(Path("no", "such", "python").absolute()))) == []


@pytest.mark.parametrize("inner", ["versions", "installs/python"])
def test_shims_are_looked_behind(tmp_path: Path, inner: str) -> None:
    for version in ("3.11.9", "3.11.10", "3.9.1"):
        (tmp_path / inner / version / "bin").mkdir(parents=True)
    (tmp_path / "shims").mkdir()
    (tmp_path / "other").mkdir()
    environ = {"PATH": os.pathsep.join([str(tmp_path / "shims"), str(tmp_path / "other")]), "HOME": str(tmp_path)}
    folders = interpreters.search_folders(environ)
    ours = [str(folder.relative_to(tmp_path)) for folder in folders if folder.is_relative_to(tmp_path)]
    expected = [str(Path(inner, version, "bin")) for version in ("3.11.10", "3.11.9", "3.9.1")]
    assert ours == [*expected, "other"]


def test_a_folder_called_shims_without_versions_is_searched_itself(tmp_path: Path) -> None:
    (tmp_path / "shims").mkdir()
    assert tmp_path / "shims" in interpreters.search_folders({"PATH": str(tmp_path / "shims")})


def test_a_managers_root_is_taken_from_its_variable(tmp_path: Path) -> None:
    (tmp_path / "versions" / "3.13.0" / "bin").mkdir(parents=True)
    folders = interpreters.search_folders({"PATH": "", "PYENV_ROOT": str(tmp_path)})
    assert tmp_path / "versions" / "3.13.0" / "bin" in folders


_OF_WINDOWS = {
    "pyenv-win": "home/.pyenv/pyenv-win/versions/3.12.4",
    "uv": "home/AppData/Roaming/uv/python/cpython-3.14.0+freethreaded-windows-x86_64-none",
    "mise": "home/AppData/Local/mise/installs/python/3.13.2",
    "scoop": "home/scoop/apps/python312/current",
    "pymanager": "home/AppData/Local/Python/pythoncore-3.14t-64",
    "python.org, for one user": "home/AppData/Local/Programs/Python/Python313",
    "python.org, for all": "Program Files/Python314",
    "python.org, of old": "Python39",
}


@pytest.mark.parametrize("place", _OF_WINDOWS.values(), ids=_OF_WINDOWS)
@pytest.mark.parametrize("told", [True, False], ids=["by variables", "by the profile alone"])
def test_where_installers_of_windows_put_it(tmp_path: Path, place: str, told: bool) -> None:
    """There the interpreter lies in the installation's folder itself; what is no installation is left out."""
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "python.exe").touch()
    (tmp_path / place).parent.joinpath("python of nothing").mkdir()
    home = tmp_path / "home"
    environ = {"PATH": "", "USERPROFILE": str(home), "SYSTEMDRIVE": str(tmp_path)}
    environ["PROGRAMFILES"] = str(tmp_path / "Program Files")
    if told:
        environ |= {"APPDATA": str(home / "AppData/Roaming"), "LOCALAPPDATA": str(home / "AppData/Local")}
    assert interpreters.search_folders(environ, "windows") == [tmp_path / place]


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("PYENV", "versions/3.12.4"),
        ("PYENV_ROOT", "versions/3.12.4"),
        ("SCOOP", "apps/python/current"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.12-windows-x86_64-none"),
        ("MISE_DATA_DIR", "installs/python/3.12"),
    ],
)
def test_a_managers_root_on_windows_is_taken_from_its_variable(tmp_path: Path, variable: str, below: str) -> None:
    place = tmp_path / "elsewhere" / below
    place.mkdir(parents=True)
    (place / "python.exe").touch()
    environ = {"SYSTEMDRIVE": str(tmp_path), "USERPROFILE": str(tmp_path), variable: str(tmp_path / "elsewhere")}
    assert interpreters.search_folders(environ, "windows") == [place]


def test_shims_of_windows_are_looked_behind(tmp_path: Path) -> None:
    for version in ("3.9.13", "3.12.10", "3.12.9"):
        (tmp_path / "versions" / version).mkdir(parents=True)
        (tmp_path / "versions" / version / "python.exe").touch()
    (tmp_path / "shims").mkdir()
    environ = {"PATH": f"{tmp_path / 'shims'};{tmp_path / 'other'}", "SYSTEMDRIVE": str(tmp_path)}
    folders = interpreters.search_folders({**environ, "USERPROFILE": str(tmp_path)}, "windows")
    expected = [tmp_path / "versions" / version for version in ("3.12.10", "3.12.9", "3.9.13")]
    assert folders == [*expected, tmp_path / "other"]


def test_ask_tells_what_can_be_imported(tmp_path: Path) -> None:
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "env")
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    told = interpreters.ask(python, venv, ["json", "no_such_module"])
    assert not isinstance(told, Silence)
    assert told.is_itself
    outcome = dict(told.imports)
    assert outcome["json"] == ""
    assert outcome["no_such_module"].startswith("ModuleNotFoundError: ")


def test_ask_survives_an_import_that_ends_the_process(tmp_path: Path) -> None:
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "env")
    site = next(venv.rglob("site-packages"))
    (site / "deadly.py").write_text("import os\nos._exit(9)\n", encoding="utf-8")
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    told = interpreters.ask(python, venv, ["deadly"])
    assert not isinstance(told, Silence)
    assert dict(told.imports) == {"deadly": "the interpreter ended with code 9"}


def test_the_answer_is_one_line_of_json_after_the_mark() -> None:
    done = proc.run([bases()[-1].executable, "-I", "-S", interpreters.PROBE], timeout=20)
    told = json.loads(done.stdout.split(probe.MARK)[1])
    assert told["identity"]["version"] == list(bases()[-1].version)
