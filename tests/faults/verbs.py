"""The commands that change something, each with the damage or the server that it is tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinic import fs
from tests.faults.project import Stage


@dataclass(frozen=True)
class Verb:
    """One command, from the state that it finds to the state that it leaves."""

    name: str
    words: Callable[[Stage], list[str]]
    damage: Callable[[Stage], object] = lambda _stage: None
    repair: Callable[[Stage], list[str]] | None = None
    """What is to be undone. It is done for each point anew: a copy of an environment is another folder."""
    serving: bool = False
    """Whether the server runs when the command begins,"""
    serves: bool = False
    """and when it has ended."""
    twice: bool = True
    """Whether the same command again ends in the same state; `undo` may have less to do, or more."""


def _lines(stage: Stage, name: str, old: str, new: str) -> None:
    path = stage.venv / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _lose_home(stage: Stage) -> None:
    _lines(stage, "pyvenv.cfg", "home = ", "home = /nowhere")


def _move_cfg(stage: Stage) -> None:
    (stage.venv / "pyvenv.cfg").rename(stage.venv / "bin" / "pyvenv.cfg")


def _of_another_project(stage: Stage) -> None:
    _move_cfg(stage)
    fs.remove(stage.root / ".clinic")


def _cut_links(stage: Stage) -> None:
    for name in ("python", "python3"):
        (stage.venv / "bin" / name).unlink()


def _other_place(stage: Stage) -> None:
    for name in ("tiny", "activate"):
        _lines(stage, f"bin/{name}", str(stage.venv), "/nowhere/env")


def _lose_file(stage: Stage) -> None:
    (stage.site_packages / "tinylib" / "data.txt").unlink()


def _lose_data(stage: Stage) -> None:
    _lose_file(stage)
    (stage.site_packages / "tinyserve" / "__main__.py").write_text("print('damaged')\n", encoding="utf-8")


def _forget_snapshot(stage: Stage) -> None:
    for path in (stage.root / ".clinic" / "snapshots").iterdir():
        path.unlink()


def _heal(stage: Stage) -> list[str]:
    return ["heal", "--no-rebuild", "--wheelhouse", str(stage.site.wheelhouse)]


def _typed(*words: str) -> Callable[[Stage], list[str]]:
    return lambda _stage: list(words)


_UNDO = _typed("undo", "--yes")

VERBS = (
    Verb("fix-cfg", _typed("fix-cfg"), _lose_home),
    Verb("fix-cfg-moved", _typed("fix-cfg"), _move_cfg),
    Verb("first-fix-cfg", _typed("fix-cfg"), _of_another_project),
    Verb("relink", _heal, _cut_links),
    Verb("rescript", _heal, _other_place),
    Verb("reinstall", _heal, _lose_data),
    Verb("rebuild", Stage.rebuild, _lose_file),
    Verb("rebuild-serving", Stage.rebuild, _lose_file, serving=True, serves=True),
    Verb("undo-fix-cfg", _UNDO, _move_cfg, _typed("fix-cfg"), twice=False),
    Verb("undo-reinstall", _UNDO, _lose_data, _heal, twice=False),
    Verb("undo-rebuild", _UNDO, _lose_file, Stage.rebuild, twice=False),
    Verb("snapshot", _typed("snapshot"), _forget_snapshot),
    Verb("start", _typed("start"), serves=True),
    Verb("stop", _typed("stop"), serving=True),
    Verb("restart", _typed("restart"), serving=True, serves=True),
    Verb("production-mode", _typed("production-mode"), serving=True, serves=True),
    Verb("unblock", _typed("unblock"), _lose_home, serves=True),
)
