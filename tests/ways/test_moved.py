"""A whole project folder is moved or copied, environment and all: `heal` makes it one that knows where it lies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.anatomy.record import digest_of
from clinic.model import Result
from clinic.settings import load
from tests.real.creators import UV, VENV, VIRTUALENV, Creator, bases, uv
from tests.real.packed import Stock, stocked
from tests.real.packed import install as install_packages
from tests.real.patients import fingerprint
from tests.real.visits import codes
from tests.ways.project import Project, end, install

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links and shells are POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """Wheels with console scripts."""
    return stocked(tmp_path_factory.mktemp("stock"), bases()[-1])


def furnished(project: Project, creator: Creator, stock: Stock) -> Project:
    """The project with an environment by this creator, packages, and an editable install of its own code."""
    shutil.rmtree(project.venv)
    creator.make(bases()[-1], project.venv)
    install(project.site)
    install_packages(project.python, stock)
    source = project.root / "src"
    source.mkdir()
    (source / "mine.py").write_text("WHERE = __file__\n", encoding="utf-8")
    info = project.site / "mine-1.0.dist-info"
    info.mkdir()
    address = json.dumps({"dir_info": {"editable": True}, "url": project.root.as_uri()})
    (info / "direct_url.json").write_text(address, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n", encoding="utf-8")
    (project.site / "_mine.pth").write_text(f"{source}\n", encoding="utf-8")
    files = {"_mine.pth": project.site / "_mine.pth", "mine-1.0.dist-info/direct_url.json": info / "direct_url.json"}
    rows = [f"{name},sha256={digest_of(path.read_bytes())},{path.stat().st_size}\n" for name, path in files.items()]
    (info / "RECORD").write_text("".join([*rows, "mine-1.0.dist-info/RECORD,,\n"]), encoding="utf-8")
    return project


def at(root: Path) -> Project:
    """The project that lies there."""
    return Project(root, load(root, root / "p.yaml", {}))


def heal(project: Project) -> Result:
    return flow.heal(project.settings, None, flow.Wish(rebuild=False))


def said(*words: str | Path) -> str:
    """What a program prints."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30, env=env)
    return done.stdout.strip()


def knows_where_it_lies(project: Project) -> bool:
    """Its console script runs, `activate` leads to it, and its own code is imported from where it is now."""
    words = '. "$0" && printf "%s\\n" "$VIRTUAL_ENV" && command -v alpha'
    told = said("sh", "-c", words, project.venv / "bin" / "activate").splitlines()
    return (
        said(project.venv / "bin" / "alpha") == "alpha"
        and told == [str(project.venv), str(project.venv / "bin" / "alpha")]
        and said(project.python, "-c", "import mine; print(ascii(mine.WHERE))")
        == ascii(str(project.root / "src" / "mine.py"))
    )


@pytest.mark.parametrize("creator", [VENV, VIRTUALENV, UV], ids=str)
def test_a_project_that_was_moved(project: Project, tmp_path: Path, stock: Stock, creator: Creator) -> None:
    furnished(project, creator, stock)
    assert knows_where_it_lies(project)
    new = tmp_path / "neues Zuhause" / "it's é 🌉"
    new.parent.mkdir()
    project.root.rename(new)
    moved = at(new)
    wounded = fingerprint(moved.venv)
    assert codes(flow.diagnose(moved.settings).data) == ["venv-moved"]
    try:
        done = heal(moved)
        assert (done.outcome, done.exit_code) == ("cured", 0), (done.errors, done.data["after"])
        assert [receipt.remedy for receipt in done.data["receipts"]] == ["rescript"]
        assert codes(flow.diagnose(moved.settings, deep=True).data) == []
        assert knows_where_it_lies(moved)
        assert moved.start().state == "running"
        assert str(project.root).encode() not in b"".join(
            path.read_bytes() for path in (*(moved.venv / "bin").iterdir(), *moved.site.glob("*.pth"), moved.cfg)
        )
        assert flow.undo(moved.settings, yes=True).exit_code == 0
        assert _lasting(fingerprint(moved.venv)) == _lasting(wounded)
    finally:
        end(moved)


def _lasting(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less the bytecode that a server writes."""
    return {name: what for name, what in found.items() if "__pycache__" not in name}


def test_a_project_that_was_copied(project: Project, tmp_path: Path, stock: Stock) -> None:
    """The original is there still: its editable source as well, so the copy goes on using that until it is gone."""
    furnished(project, VENV, stock)
    copy = at(Path(shutil.copytree(project.root, tmp_path / "a copy", symlinks=True)))
    before = fingerprint(project.root)
    try:
        done = heal(copy)
        assert (done.outcome, done.exit_code) == ("cured", 0), (done.errors, done.data["after"])
        assert [receipt.remedy for receipt in done.data["receipts"]] == ["rescript"]
        assert fingerprint(project.root) == before
        assert said(copy.venv / "bin" / "alpha") == "alpha"
        assert (copy.site / "_mine.pth").read_text("utf-8") == f"{project.root / 'src'}\n"
        assert str(copy.python) in (copy.venv / "bin" / "alpha").read_text("utf-8")
    finally:
        end(copy)


def test_a_move_and_a_lost_cfg_are_cured_by_one_plan(project: Project, tmp_path: Path, stock: Stock) -> None:
    furnished(project, VENV, stock)
    project.root.rename(tmp_path / "new")
    moved = at(tmp_path / "new")
    moved.cfg.write_bytes(moved.cfg.read_bytes().replace(b"home = ", b"home = /gone"))
    try:
        assert sorted(codes(flow.diagnose(moved.settings).data)) == ["cfg-home-gone", "venv-moved"]
        planned = flow.heal(moved.settings, None, flow.Wish(rebuild=False), dry_run=True)
        assert [step.partition(":")[0] for step in planned.data["plan"]] == ["fix-cfg", "rescript"]
        done = heal(moved)
        assert (done.outcome, done.exit_code) == ("cured", 0), (done.errors, done.data["after"])
        assert [receipt.remedy for receipt in done.data["receipts"]] == ["fix-cfg", "rescript"]
        assert knows_where_it_lies(moved)
    finally:
        end(moved)
