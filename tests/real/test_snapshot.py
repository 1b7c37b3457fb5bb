"""The known-good state: what is recorded, what changed since, and the repairs that begin with it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic import changes, flow
from clinic.observe import observe
from clinic.observe.state import state_of
from clinic.records import Records
from tests.real import throwaway
from tests.real.creators import bases
from tests.real.wheels import Site, build

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's")


@pytest.fixture
def site(tmp_path: Path, free_port: int) -> Site:
    """A healthy project, a note and a start-up file in its environment, and a snapshot of it."""
    site = Site(tmp_path / "project", port=free_port)
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    (site.venv / "notes.txt").write_text("mine", encoding="utf-8")
    (throwaway.site(site.venv) / "mine.pth").write_text("# nothing\n", encoding="utf-8")
    cfg = site.venv / "pyvenv.cfg"
    cfg.write_text(cfg.read_text("utf-8") + "my-own-key = kept\n", encoding="utf-8")
    assert flow.snapshot(site.settings).outcome == "healthy"
    return site


def snapshot_file(site: Site) -> Path:
    """Where it lies."""
    return next((site.settings.records / "snapshots").iterdir())


def changed(site: Site) -> dict[str, Any]:
    """What a diagnosis says has changed."""
    told: dict[str, Any] = flow.diagnose(site.settings).data["changed_since"]
    return told


def test_it_holds_what_is_needed_to_tell_later(site: Site) -> None:
    told = Records(site.settings.records).snapshot(site.venv)
    assert told is not None
    assert told["format"] == 2
    assert told["cfg"].encode() == (site.venv / "pyvenv.cfg").read_bytes()
    assert told["interpreter"].keys() == {"path", "real", "version", "flavour", "size", "modified"}
    assert told["distributions"] == {"tinylib": "1.0", "tinyserve": "1.0"}
    assert all(value.startswith("sha256:") for value in told["records"].values())
    site_packages = throwaway.site(site.venv).relative_to(site.venv).as_posix()
    assert {"bin/activate", "notes.txt", f"{site_packages}/mine.pth"} <= told["files"].keys()
    assert not {"bin/tiny", "pyvenv.cfg", "bin/python"} & told["files"].keys(), "RECORD covers it, or it is no text"
    assert len(snapshot_file(site).read_bytes()) < 16_000


def test_a_green_checklist_records_it_too(site: Site) -> None:
    shutil.rmtree(site.settings.records / "snapshots")
    assert "changed_since" not in flow.diagnose(site.settings).data
    assert flow.validate(site.settings, quick=True).exit_code == 0
    assert json.loads(snapshot_file(site).read_text("utf-8"))["format"] == 2


def test_nothing_changed(site: Site) -> None:
    assert not changes.any_in(changed(site))


def cfg_edited(site: Site) -> None:
    file = site.venv / "pyvenv.cfg"
    file.write_text(file.read_text("utf-8").replace("my-own-key = kept", "my-own-key = other\nnew = 1"), "utf-8")


def cfg_gone(site: Site) -> None:
    (site.venv / "pyvenv.cfg").unlink()


def cfg_spelled(site: Site) -> None:
    file = site.venv / "pyvenv.cfg"
    file.write_text(file.read_text("utf-8") + "# a remark\n", "utf-8")


def removed(site: Site) -> None:
    shutil.rmtree(next(throwaway.site(site.venv).glob("tinyserve-*.dist-info")))


def other_version(site: Site) -> None:
    info = next(throwaway.site(site.venv).glob("tinyserve-*.dist-info"))
    info.rename(info.with_name("tinyserve-2.0.dist-info"))


def other_record(site: Site) -> None:
    record = next(throwaway.site(site.venv).glob("tinyserve-*.dist-info")) / "RECORD"
    record.write_text(record.read_text("utf-8") + "another.py,,\n", "utf-8")


def added(site: Site) -> None:
    wheel = build(site.root / "more", "extra", "3.0", {"extra.py": ""})
    shutil.unpack_archive(wheel.path, throwaway.site(site.venv), "zip")


def files(site: Site) -> None:
    (site.venv / "notes.txt").unlink()
    (site.venv / "bin" / "mine").write_text("#!/bin/sh\n", "utf-8")
    (throwaway.site(site.venv) / "mine.pth").write_text("# else\n", "utf-8")


CASES: list[tuple[Callable[[Site], None], str, str]] = [
    (cfg_edited, "cfg", "my-own-key was kept, is other"),
    (cfg_gone, "cfg", "pyvenv.cfg: its "),
    (cfg_spelled, "cfg", "spelled in another way"),
    (removed, "distributions", "tinyserve 1.0: gone"),
    (other_version, "distributions", "tinyserve: was 1.0, is 2.0"),
    (other_record, "distributions", "tinyserve 1.0: another RECORD"),
    (added, "distributions", "extra 3.0: new"),
    (files, "files", "notes.txt: removed"),
]


@pytest.mark.parametrize(("change", "where", "line"), CASES, ids=lambda each: getattr(each, "__name__", ""))
def test_each_change_is_told_where_it_is(site: Site, change: Callable[[Site], None], where: str, line: str) -> None:
    from clinic.report.changed import lines

    change(site)
    told = changed(site)
    assert changes.any_in(told)
    others = {key: told[key] for key in ("cfg", "interpreter", "distributions", "files") if key != where}
    assert not any(any(each.values()) if isinstance(each, dict) else each for each in others.values()), others
    assert any(line in each for each in lines(told)), list(lines(told))


def test_another_interpreter_is_told(site: Site, tmp_path: Path) -> None:
    base = throwaway.base(bases()[-1], tmp_path.resolve() / "another base")
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse, python=str(base.executable))
    told = {each["key"]: each["is"] for each in changed(site)["interpreter"]}
    assert told["path"] == str(base.executable)
    assert told["real"] == str(base.real)


def test_it_is_no_finding_by_itself(site: Site) -> None:
    files(site)
    result = flow.diagnose(site.settings)
    assert (result.outcome, result.exit_code, result.data["findings"]) == ("healthy", 0, ())


def test_a_lost_file_comes_back_word_for_word(site: Site) -> None:
    file = site.venv / "pyvenv.cfg"
    before = file.read_bytes()
    assert b"my-own-key = kept" in before
    file.unlink()
    result = flow.fix_cfg(site.settings)
    assert result.outcome == "cured"
    assert file.read_bytes() == before
    assert any(note.startswith("text of the file: from the snapshot of 20") for note in result.notes)


@pytest.mark.parametrize("wreck", [b"", b"\0" * 300, b"home = /no", "utf-16"], ids=["empty", "nul", "cut", "utf-16"])
def test_what_is_left_of_it_gives_way_where_it_says_no_more(site: Site, wreck: bytes | str) -> None:
    file = site.venv / "pyvenv.cfg"
    before = file.read_bytes()
    file.write_bytes(wreck if isinstance(wreck, bytes) else before.decode().encode(wreck))
    assert flow.fix_cfg(site.settings).outcome == "cured"
    assert file.read_bytes() == before


def test_what_was_added_since_is_kept(site: Site) -> None:
    file = site.venv / "pyvenv.cfg"
    file.write_text("added-since = yes\n" + file.read_text("utf-8").replace("home =", "home = /nowhere #"), "utf-8")
    flow.fix_cfg(site.settings)
    assert b"added-since = yes" in file.read_bytes()


def test_another_base_since_then_makes_another_text(site: Site, tmp_path: Path) -> None:
    base = throwaway.base(bases()[-1], tmp_path.resolve() / "another base")
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse, python=str(base.executable))
    (site.venv / "pyvenv.cfg").unlink()
    assert flow.fix_cfg(site.settings).outcome == "cured"
    text = (site.venv / "pyvenv.cfg").read_text("utf-8")
    assert str(base.home) in text
    assert "my-own-key = kept" in text


def test_the_recorded_base_decides_where_nothing_else_does(site: Site, tmp_path: Path) -> None:
    """As on Windows, where a launcher carries no base: the links are gone, two pythons would fit."""
    base = throwaway.base(bases()[-1], tmp_path.resolve() / "another base")
    from clinic.facts import Known

    site.venv.joinpath("pyvenv.cfg").unlink()
    for link in (site.venv / "bin").glob("python*"):
        link.unlink()
    assert observe(site.venv).search.proof != "the last snapshot names it"
    found = observe(site.venv, known=Known(base=base.executable)).search
    assert found.base is not None
    assert (found.base.executable, found.proof) == (base.executable, "the last snapshot names it")
    other = next((each for each in bases() if each.flavour != base.flavour), None)
    if other:
        outweighed = observe(site.venv, known=Known(base=other.executable)).search.base
        assert outweighed is None or outweighed.flavour == base.flavour, "the packages' version outweighs it"


def test_nothing_left_and_still_the_same_python(site: Site) -> None:
    other = next((each for each in bases() if each.flavour != bases()[-1].flavour), None)
    if other is None:
        pytest.skip("only one minor version is here")
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse, python=str(other.executable))
    flow.snapshot(site.settings)
    shutil.rmtree(site.venv)
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert result.data["interpreter"]["version"] == other.dotted
    assert result.data["interpreter"]["why"] == "the last snapshot names it"


OLD: list[object] = [
    {"time": 1.0, "cfg": "home = /x\n", "distributions": {"tinylib": "0.9"}, "system_site": False, "prompt": None},
    {"format": 99, "time": "soon", "cfg": ["?"], "distributions": ["tinylib"], "files": {"a": 1}, "interpreter": 3},
    {"base": 7, "system_site": "no", "records": None},
    [],
    "text",
]


@pytest.mark.parametrize("told", OLD, ids=["first", "future", "odd", "list", "text"])
def test_other_formats_are_read_as_far_as_they_can_be(site: Site, told: object) -> None:
    snapshot_file(site).write_text(json.dumps(told), encoding="utf-8")
    result = flow.diagnose(site.settings)
    assert result.outcome == "healthy"
    if isinstance(told, dict) and told.get("time") == 1.0:
        since = result.data["changed_since"]
        assert since["distributions"]["other_version"] == [{"name": "tinylib", "was": "0.9", "is": "1.0"}]
        assert since["distributions"]["other_record"] == []
        assert since["files"] == {"added": [], "removed": [], "changed": []}
    (site.venv / "pyvenv.cfg").unlink()
    assert flow.fix_cfg(site.settings).outcome == "cured"
    assert flow.rebuild(site.settings, wheelhouse=site.wheelhouse, as_installed=True).exit_code in {0, 1}
    assert flow.snapshot(site.settings).outcome == "healthy"


def test_it_costs_little(site: Site) -> None:
    """200 distributions and 100 files of somebody's own; the limit is generous, since machines are busy."""
    place = throwaway.site(site.venv)
    for number in range(200):
        info = place / f"d{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: d{number}\nVersion: 1.0\n", encoding="utf-8")
        (info / "RECORD").write_text(f"d{number}-1.0.dist-info/RECORD,,\n" * 20, encoding="utf-8")
    for number in range(100):
        (site.venv / f"note {number}").write_bytes(b"x" * 10_000)
    facts = observe(site.venv)
    took = []
    for _ in range(5):
        begun = time.process_time()
        changes.between({}, state_of(facts))
        took.append(time.process_time() - begun)
    assert min(took) < 0.06
