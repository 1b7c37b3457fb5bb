"""The lifeboat: a throw-away environment from the lock, for when there is nothing left to borrow."""

from __future__ import annotations

import shutil

import pytest

from clinic import flow
from clinic.errors import FailedError, RefusedError
from clinic.remedies import borrow, staging
from tests.real.patients import fingerprint
from tests.ways.project import Project


def test_site_packages_gone(project: Project) -> None:
    shutil.rmtree(project.site)
    before = fingerprint(project.venv)
    result = flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert (result.outcome, result.data["way"]) == ("healthy", "lifeboat")
    assert "borrow" in [each["way"] for each in result.data["tried"]]
    assert fingerprint(project.venv) == before
    assert str(project.records / "lifeboat") in project.log().splitlines()[-1]
    assert project.status().stopgap == "lifeboat"


def test_no_environment_at_all_and_a_second_time(project: Project) -> None:
    from clinic.service import manager

    shutil.rmtree(project.venv)
    assert flow.unblock(project.settings, wheelhouse=str(project.wheelhouse)).data["way"] == "lifeboat"
    manager.stop(project.settings)
    shutil.rmtree(project.wheelhouse)
    project.wheelhouse.mkdir()
    again = flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert again.data["way"] == "lifeboat", "what is there already needs no wheels"
    assert not project.venv.exists()


def test_a_changed_lock_makes_a_new_one(project: Project) -> None:
    from clinic.service import manager

    shutil.rmtree(project.venv)
    flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    manager.stop(project.settings)
    lock = project.settings.environment.requirements
    lock.write_text(lock.read_text("utf-8").replace("sha256:", "sha256:0")[:-2] + "\n", encoding="utf-8")
    with pytest.raises(FailedError) as told:
        flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert told.value.code == "nothing-serves"
    assert "lifeboat" in told.value.message


def test_wheels_of_other_content_are_refused(project: Project) -> None:
    shutil.rmtree(project.site)
    wheel = next(project.wheelhouse.glob("*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(FailedError, match=r"(?i)hash"):
        flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert project.status().pid is None
    left = [path.name for path in (project.records / "lifeboat").glob("*")]
    assert left == [], "a lifeboat that does not float is not left lying about"


def test_heal_ends_it_and_cleans_up(project: Project) -> None:
    shutil.rmtree(project.site)
    flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    result = flow.heal(project.settings, None, flow.Wish(wheelhouse=str(project.wheelhouse)))
    assert (result.outcome, result.exit_code) == ("cured", 0), result.errors
    status = project.status()
    assert (status.state, status.stopgap) == ("running", None)
    assert not (project.records / "lifeboat").exists()


def test_what_the_disk_objects_to_leads_to_the_next_way(project: Project) -> None:
    project.cfg.unlink()
    project.records.mkdir(exist_ok=True)
    (project.records / "borrow").write_text("not a folder", encoding="utf-8")
    result = flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert (result.outcome, result.data["way"]) == ("healthy", "lifeboat")
    (told,) = [each["reason"] for each in result.data["tried"] if each["way"] == "borrow"]
    assert "Not a directory" in told or "File exists" in told
    assert str(project.records / "borrow") in told


def test_a_disk_that_objects_to_every_way_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.cfg.unlink()

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(borrow, "_by_hand", full)
    monkeypatch.setattr(staging, "made", full)
    with pytest.raises(FailedError) as told:
        flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert told.value.code == "nothing-serves"
    assert told.value.message.count("No space left on device (somewhere)") == 2
    assert (project.status().pid, project.status().wanted) == (None, "down")


def test_a_wheelhouse_that_is_not_there_is_refused_at_once(project: Project) -> None:
    for dry_run in (True, False):
        with pytest.raises(RefusedError) as caught:
            flow.unblock(project.settings, wheelhouse="/nope", dry_run=dry_run)
        assert (caught.value.code, caught.value.exit_code) == ("wheelhouse-missing", 2)
        assert caught.value.hint
