"""A fixed sample of the fault campaign: every command and every fault, at the changes that matter most."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.campaign import Campaign, Point
from tests.faults.injection import FAULTS, Injector, missing
from tests.faults.project import Stage
from tests.faults.verbs import VERBS

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

# A command, a fault, and the change that it strikes: the first one of this call whose paths hold this text.
SAMPLE = (
    ("fix-cfg", "kill", "rename", ".new project/ai/.venv/pyvenv.cfg"),
    ("fix-cfg", "ENOSPC", "write", ".pyvenv.cfg."),
    ("fix-cfg", "EMFILE", "open64", "events.jsonl"),
    ("fix-cfg", "EDQUOT", "write", ".pending"),
    ("fix-cfg-moved", "kill", "renameat2", "bin/pyvenv.cfg"),
    ("fix-cfg-moved", "EIO", "rename", ".new project/ai/.venv/pyvenv.cfg"),
    ("fix-cfg-moved", "EROFS", "fsync", "project/ai/.venv"),
    ("first-fix-cfg", "kill", "rename", ".clinic/.gitignore"),
    ("relink", "torn", "symlink", "bin/python"),
    ("relink", "ENOSPC-once", "symlink", "bin/python"),
    ("rescript", "kill", "rename", "bin/tiny"),
    ("rescript", "EACCES", "rename", "bin/activate"),
    ("reinstall", "kill", "renameat2", "prefix/bin/tiny"),
    ("reinstall", "EIO", "renameat2", "prefix/lib"),
    ("reinstall", "torn", "write", ".pending"),
    ("reinstall", "EDQUOT", "mkdir", "project/ai/.clinic-"),
    ("rebuild", "kill", "renameat2", ".venv project/ai/.venv"),
    ("rebuild", "torn", "renameat2", ".venv project/ai/.venv"),
    ("rebuild", "ENOSPC", "write", ".tiny."),
    ("rebuild", "ENOSPC", "fsync", "project/ai"),
    ("rebuild", "EACCES", "renameat2", ".venv project/ai/.venv"),
    ("rebuild", "EACCES", "chmod", "notes of mine.txt"),
    ("rebuild", "EMFILE", "open64", ".pending"),
    ("rebuild", "EIO", "fsync", ".pending"),
    ("rebuild-serving", "kill", "renameat2", ".venv project/ai/.venv"),
    ("rebuild-serving", "EROFS", "renameat2", ".venv project/ai/.venv"),
    ("undo-fix-cfg", "kill", "renameat2", "bin/pyvenv.cfg"),
    ("undo-fix-cfg", "EMFILE", "open64", ".pending"),
    ("undo-reinstall", "torn", "renameat2", "project/ai/.venv/bin/tiny"),
    ("undo-reinstall", "ENOSPC", "mkdir", ".clinic/stash"),
    ("undo-rebuild", "kill", "renameat2", ".venv project/ai/.venv"),
    ("undo-rebuild", "EIO", "rename", ".pending"),
    ("undo-rebuild", "EROFS", "fsync", "project/ai"),
    ("snapshot", "kill", "rename", "snapshots"),
    ("snapshot", "ENOSPC", "write", "snapshots"),
    ("start", "kill", "write", "interface_bridge.log"),
    ("start", "EROFS", "mkdir", "project/ai"),
    ("stop", "kill", "unlink", "interface_bridge.pid"),
    ("stop", "EACCES", "unlink", "interface_bridge.pid"),
    ("restart", "kill", "rename", "interface_bridge.pid"),
    ("restart", "EIO", "unlink", "interface_bridge.pid"),
    ("production-mode", "EACCES", "rename", "interface_bridge.pid"),
    ("unblock", "torn", "write", "interface_bridge.log"),
)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """A project that each point damages and repairs."""
    stage = Stage(tmp_path_factory.mktemp("faults"))
    stage.make()
    yield Campaign(stage, Injector(stage.folder / "faults", stage.world))
    stage.end_processes()


def test_the_sample_has_every_command_and_every_fault() -> None:
    assert {row[0] for row in SAMPLE} == {verb.name for verb in VERBS}
    assert {row[1] for row in SAMPLE} == {fault.name for fault in FAULTS}


@pytest.mark.parametrize(("name", "kind", "call", "text"), SAMPLE, ids=lambda part: part.replace("project/", ""))
def test_nothing_is_lost(campaign: Campaign, name: str, kind: str, call: str, text: str) -> None:
    verb = next(each for each in VERBS if each.name == name)
    fault = next(each for each in FAULTS if each.name == kind)
    changes = campaign.reference(verb).changes
    world = f"{campaign.stage.world}/"
    at = next(each.number for each in changes if each.call == call and text in str(each).replace(world, ""))
    out = campaign.try_point(Point(verb, fault, at))
    assert not out.wrong, (out.change, out.faulted, out.again)
