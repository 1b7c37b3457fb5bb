"""Rare states of the world: nothing hangs, nothing raises, and each is named by what it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinic import flow, interpreters
from clinic.checks import examine
from clinic.facts import Facts, Interpreter, Silence
from clinic.observe import hooks, observe
from tests.conftest import ROOT
from tests.real.conftest import Ward
from tests.real.creators import VENV, VENV_COPIES, Creator, bases
from tests.real.patients import second_installation
from tests.real.wheels import Site
from tests.real.wounds import by_name

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and user ids are POSIX's")


def codes(facts: Facts) -> list[str]:
    """The codes of a look."""
    return [finding.code for finding in examine(facts)]


# As somebody else

_AS_SOMEBODY_ELSE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from clinic.checks import examine
from clinic.observe import hooks, observe
found = examine(observe(Path(sys.argv[2])))
print(json.dumps([[f.code, f.severity, *f.evidence] for f in found]))
"""


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user may look into (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="clinic-open-")).resolve()
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def look_as_somebody_else(venv: Path, base: Path) -> list[list[str]]:
    """Observe and examine as a user who is not root, with a python that user can run."""
    scripts = venv.parent / "scripts"
    shutil.copytree(ROOT / "scripts", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [base, "-I", "-B", "-c", _AS_SOMEBODY_ELSE, scripts, venv],
        user=None if os.geteuid() else 65534,
        cwd="/",
        env={"PATH": os.defpath, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    # That the environment is not this user's is no news here; test_not_writable.py is about that.
    return [entry for entry in found if entry[0] != "not-writable"]


def public_base() -> Interpreter:
    """A base that every user can run, new enough for the clinic; skips where there is none."""
    for spec in ("3.11", "3.12", "3.13", "3.14"):
        for base in interpreters.find(spec):
            done = (
                subprocess.run(
                    [base.executable, "-c", "pass"],
                    user=None if os.geteuid() else 65534,
                    cwd="/",
                    capture_output=True,
                    check=False,
                )
                if os.access(base.executable, os.X_OK) and _all_may_enter(base.real)
                else None
            )
            if done is not None and done.returncode == 0:
                return base
    pytest.skip("no interpreter that another user could run")


def _all_may_enter(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


@pytest.mark.parametrize("creator", [VENV, VENV_COPIES], ids=str)
def test_an_unreadable_file_is_named_so(open_place: Path, creator: Creator) -> None:
    base = public_base()
    venv = creator.make(base, open_place / "env")
    (venv / "pyvenv.cfg").chmod(0)
    found = look_as_somebody_else(venv, base.executable)
    assert [entry[:2] for entry in found] == [["cfg-unreadable", "fatal"]]
    assert str(venv / "pyvenv.cfg") in found[0][2]


@pytest.mark.parametrize(("part", "codes_"), [("", ["venv-unreadable"]), ("bin", ["python-missing"])])
def test_a_folder_that_may_not_be_searched_does_no_harm(open_place: Path, part: str, codes_: list[str]) -> None:
    base = public_base()
    venv = VENV.make(base, open_place / "env")
    (venv / part).chmod(0)
    found = look_as_somebody_else(venv, base.executable)
    assert [entry[0] for entry in found] == codes_


# Nothing hangs


@pytest.mark.parametrize("name", ["pipe", "link-to-device"])
def test_a_pipe_or_device_in_place_of_the_file_is_not_waited_for(ward: Ward, name: str) -> None:
    patient = ward.patient(VENV, bases()[-1])
    by_name(name).inflict(patient)
    started = time.perf_counter()
    facts = observe(patient.venv)
    assert time.perf_counter() - started < 5
    assert isinstance(facts.me, Silence)
    assert "was not run" in facts.me.reason


def test_a_link_to_a_pipe_is_not_waited_for(ward: Ward, tmp_path: Path) -> None:
    patient = ward.patient(VENV, bases()[-1])
    os.mkfifo(tmp_path / "pipe")
    patient.cfg.unlink()
    patient.cfg.symlink_to(tmp_path / "pipe")
    assert codes(observe(patient.venv)) == ["cfg-not-a-file"]


def test_a_startup_hook_that_hangs_is_given_up(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = ward.patient(VENV, bases()[-1])
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    (site / "slow.pth").write_text("import time; time.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr(interpreters, "LOOK_SECONDS", 1.0)
    monkeypatch.setattr(hooks, "SECONDS", 1.0)
    started = time.perf_counter()
    found = examine(observe(patient.venv))
    assert time.perf_counter() - started < 10
    assert [(finding.code, finding.severity) for finding in found] == [("pth-failing", "fatal")]
    assert found[0].evidence == (f"{site / 'slow.pth'}: no answer in 1 s",)


def test_a_startup_hook_that_dies_is_not_blamed_on_a_harmless_line(ward: Ward) -> None:
    patient = ward.patient(VENV, bases()[-1])
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    (site / "sitecustomize.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    patient.set("version", "3.99.0")
    found = {finding.code: finding.severity for finding in examine(observe(patient.venv))}
    assert found == {"cfg-version-mismatch": "advice", "sitecustomize-failing": "fatal"}


def test_a_startup_hook_that_chatters_does_no_harm(ward: Ward) -> None:
    patient = ward.patient(VENV, bases()[-1])
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    (site / "sitecustomize.py").write_text("print('@clinic@ {}')\nprint('{\"identity\": 1}')\n", encoding="utf-8")
    assert codes(observe(patient.venv)) == []


def test_a_crowded_folder_is_looked_at_in_time(ward: Ward) -> None:
    patient = ward.patient(VENV, bases()[-1])
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    for number in range(3000):
        (site / f"module{number}.py").touch()
        (patient.venv / "bin" / f"tool{number}").touch()
    started = time.perf_counter()
    assert codes(observe(patient.venv)) == []
    assert time.perf_counter() - started < 5


# A base that is broken itself


@pytest.mark.parametrize("creator", [VENV, VENV_COPIES], ids=str)
def test_a_base_whose_library_is_damaged_is_to_blame(tmp_path: Path, creator: Creator) -> None:
    base = bases()[-1]
    scripts = second_installation(base, tmp_path / "base")
    library = scripts.parent / "lib" / f"python{base.flavour}"
    whole = library.resolve()
    library.unlink()
    library.mkdir()
    for entry in whole.iterdir():
        (library / entry.name).symlink_to(entry)
    through = Interpreter(**{**vars(base), "executable": scripts / base.real.name})
    venv = creator.make(through, tmp_path / "env")
    assert codes(observe(venv)) == []
    (library / "encodings").unlink()
    found = examine(observe(venv))
    assert [(finding.code, finding.severity) for finding in found] == [("base-broken", "fatal")], found
    assert str(scripts) in found[0].evidence[0]
    assert "encodings" in found[0].evidence[0]
    site = Site(tmp_path / "project", path=str(venv), imports=())
    assert flow.rebuild(site.settings, wheelhouse=site.wheelhouse, yes=True).outcome == "cured"
    assert codes(observe(venv)) == []


# Links


@pytest.mark.parametrize("target", ["loop", "nowhere"])
def test_an_environment_that_is_a_dead_link(tmp_path: Path, target: str) -> None:
    link = tmp_path / "loop"
    link.symlink_to(tmp_path / target)
    assert codes(observe(link)) == ["venv-dangling-link"]


@pytest.mark.parametrize(("make", "code"), [(Path.touch, "venv-not-a-folder"), (Path.mkdir, "venv-not-an-environment")])
def test_something_else_in_the_place_of_an_environment(tmp_path: Path, make: object, code: str) -> None:
    assert callable(make)
    make(tmp_path / "env")
    assert codes(observe(tmp_path / "env")) == [code]


def test_a_hard_link_for_an_interpreter_is_no_finding(ward: Ward, tmp_path: Path) -> None:
    patient = ward.patient(VENV_COPIES, bases()[-1])
    os.link(patient.python, tmp_path / "second name")
    patient.python.unlink()
    os.link(tmp_path / "second name", patient.python)
    assert codes(observe(patient.venv)) == []
