"""Whose an environment is: what somebody else could have put there is run by no look."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic import flow
from clinic.anatomy import ownership
from clinic.anatomy.ownership import Owners, callers, mounts
from clinic.errors import RefusedError
from clinic.flow import alive
from clinic.flow.patient import TRUST
from clinic.flow.patient import patient as patient_of
from clinic.model import Result
from clinic.settings import Settings, load
from tests.conftest import ROOT
from tests.real.creators import VENV, bases
from tests.real.patients import Patient, fingerprint, furnish
from tests.real.visits import Project, around, codes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and permission bits are POSIX's")
root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")

_SOMEBODY = 65534


def _told(project: Project, *words: str, **variables: str) -> tuple[int, dict[str, Any]]:
    env = {name: value for name, value in os.environ.items() if name != "SUDO_UID"} | variables
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "-f", str(project.file), *words, "--json"],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr.decode()
    envelope: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, envelope


def _codes(envelope: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in envelope["data"]["findings"]]


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A healthy environment that leaves a trace when its python is run."""
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "an env")
    furnish(venv)
    (site,) = venv.glob("lib/python3*/site-packages")
    trace = tmp_path / "was run"
    (site / "trace.pth").write_text(f"import os; open({str(trace)!r}, 'w').close()\n", encoding="utf-8")
    return Patient(venv, base, VENV, None, tmp_path)


def _was_run(patient: Patient) -> bool:
    trace = patient.venv.parent / "was run"
    found = trace.exists()
    trace.unlink(missing_ok=True)
    return found


def _all_of_it(patient: Patient) -> None:
    for path in (patient.venv, *patient.venv.rglob("*")):
        os.chown(path, _SOMEBODY, _SOMEBODY, follow_symlinks=False)


def _the_pth(patient: Patient) -> None:
    (path,) = patient.venv.glob("lib/python3*/site-packages/trace.pth")
    os.chown(path, _SOMEBODY, _SOMEBODY)


def _a_package(patient: Patient) -> None:
    (site,) = patient.venv.glob("lib/python3*/site-packages")
    (site / "somebodys").mkdir()
    os.chown(site / "somebodys", _SOMEBODY, _SOMEBODY)


def _the_interpreter(patient: Patient) -> None:
    python = patient.venv / "bin" / "python"
    theirs = patient.venv.parent / "theirs"
    theirs.write_text(f'#!/bin/sh\nexec "{python.readlink()}" "$@"\n', encoding="utf-8")
    theirs.chmod(0o755)
    os.chown(theirs, _SOMEBODY, _SOMEBODY)
    python.unlink()
    python.symlink_to(theirs)


def _home(patient: Patient) -> None:
    theirs = patient.venv.parent / "theirs"
    theirs.mkdir()
    trace = patient.venv.parent / "was run"
    (theirs / "python3").write_text(f"#!/bin/sh\n: > '{trace}'\n", encoding="utf-8")
    (theirs / "python3").chmod(0o755)
    os.chown(theirs / "python3", _SOMEBODY, _SOMEBODY)
    patient.set("home", str(theirs))


@root
@pytest.mark.parametrize("give", [_all_of_it, _the_pth, _a_package, _the_interpreter, _home])
def test_what_belongs_to_somebody_else_is_not_run(
    patient: Patient, tmp_path: Path, give: Callable[[Patient], None]
) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    give(patient)
    before = fingerprint(patient.venv)
    code, told = _told(project, "diagnose", "--deep")
    assert (code, _codes(told)) == (1, ["not-trusted"]), told
    assert told["data"]["verdict"] == "degraded"
    assert "belongs to " in told["data"]["findings"][0]["evidence"][0]
    assert not _was_run(patient)
    code, refused = _told(project, "heal")
    assert (code, refused["errors"][0]["code"]) == (2, "not-trusted"), refused
    assert not _was_run(patient)
    assert fingerprint(patient.venv) == before
    assert "not-trusted" not in _codes(_told(project, "diagnose", "--trust")[1])


@root
@pytest.mark.parametrize(
    "command",
    [
        *(flow.fix_cfg, flow.relink, flow.rescript, flow.reinstall, flow.snapshot, flow.validate, flow.unblock),
        *(flow.start_server, flow.restart_server, flow.production_mode),
    ],
    ids=lambda command: command.__name__,
)
def test_no_command_that_looks_runs_it(
    patient: Patient, tmp_path: Path, command: Callable[[Settings], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    settings = around(Project(tmp_path / "invoke.yaml"), patient).settings
    assert codes(flow.diagnose(settings).data) == []
    assert _was_run(patient)
    _all_of_it(patient)
    with pytest.raises(RefusedError) as refused:
        command(settings)
    assert (refused.value.code, _was_run(patient)) == ("not-trusted", False)


@root
def test_the_monitor_blames_no_environment_that_it_may_not_run(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    _all_of_it(patient)
    settings = around(Project(tmp_path / "invoke.yaml"), patient).settings
    assert alive._sick(patient_of(settings)) == ()
    assert not _was_run(patient)
    for look in (alive._Care(settings, None).before_start(), alive._Care(settings, None).diagnose()):
        assert look.trouble
        assert look.trouble.code == "not-trusted"
        assert TRUST in look.trouble.hint
    assert not _was_run(patient), "nor is a server started from it"
    monkeypatch.setenv("SUDO_UID", str(_SOMEBODY))
    assert alive._Care(settings, None).before_start().trouble is None


def test_a_server_starts_from_what_others_may_change(patient: Patient, tmp_path: Path) -> None:
    settings = around(Project(tmp_path / "invoke.yaml"), patient).settings
    patient.venv.chmod(0o1777)
    with pytest.raises(RefusedError, match="can be changed by everybody"):
        patient_of(settings).look()
    assert patient_of(settings).glance().tree
    assert alive._Care(settings, None).before_start().trouble is None


@root
def test_ways_to_trust(patient: Patient, tmp_path: Path) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    _all_of_it(patient)
    home = tmp_path / "home"
    home.mkdir()
    assert _codes(_told(project, "diagnose", HOME=str(home))[1]) == ["not-trusted"]
    # As git has it: who typed sudo is who looks.
    assert _codes(_told(project, "diagnose", SUDO_UID=str(_SOMEBODY))[1]) == []
    both = os.pathsep.join(["/srv", str(patient.venv.parent)])
    assert _codes(_told(project, "diagnose", **{TRUST: both})[1]) == []
    (home / ".invoke.yaml").write_text(
        json.dumps({"clinic": {"environment": {"trust": [str(patient.venv)]}}}), encoding="utf-8"
    )
    assert _codes(_told(project, "diagnose", HOME=str(home))[1]) == []
    assert _told(project, "snapshot", HOME=str(home))[0] == 0


def test_a_project_cannot_speak_for_itself(tmp_path: Path) -> None:
    (tmp_path / "invoke.yaml").write_text("clinic: {environment: {trust: [/]}}\n", encoding="utf-8")
    for file in (None, tmp_path / "invoke.yaml"):
        with pytest.raises(RefusedError, match="cannot say of itself") as refused:
            load(tmp_path, file, {})
        assert refused.value.code == "settings-not-here"
    (tmp_path / "invoke.yaml").unlink()
    with pytest.raises(RefusedError, match="a list of absolute paths"):
        load(tmp_path, None, {TRUST: "envs"})
    assert load(tmp_path, None, {TRUST: "/"}).environment.trust == (Path("/"),)


def test_the_users_own_file_is_the_lowest_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    mine = tmp_path / "home" / ".invoke.yaml"
    mine.write_text("clinic: {service: {port: 1234, host: 0.0.0.0}}\n", encoding="utf-8")
    (tmp_path / "invoke.yaml").write_text("clinic: {service: {port: 2345}}\n", encoding="utf-8")
    assert (load(tmp_path, None, {}).service.host, load(tmp_path, None, {}).service.port) == ("0.0.0.0", 2345)  # noqa: S104
    for text, code in (
        ("clinic: {service: {prot: 1}}", "settings-unknown-key"),
        ("clinic: {service: {port: x}}", "settings-type"),
        ("clinic: {environment: {path: envs/one}}", "settings-relative"),
        ("clinic: {records: .records}", "settings-relative"),
    ):
        mine.write_text(text, encoding="utf-8")
        with pytest.raises(RefusedError) as refused:
            load(tmp_path, None, {})
        assert (refused.value.code, str(mine) in refused.value.message) == (code, True)
    mine.write_text("clinic: {environment: {path: auto}, records: /var/lib/records}\n", encoding="utf-8")
    assert load(tmp_path, None, {}).records == Path("/var/lib/records")


def test_a_list_in_a_file_and_in_a_variable_is_refused(patient: Patient, tmp_path: Path) -> None:
    """Invoke itself would stop with a traceback."""
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    (tmp_path / ".invoke.yaml").write_text("clinic: {environment: {trust: [/srv]}}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "-f", str(project.file), "diagnose"],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), TRUST: "/srv"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, b"settings-twice" in done.stderr) == (2, True), done.stderr.decode()


@pytest.mark.parametrize("make", [lambda path: path.touch(), lambda path: path.mkdir()], ids=["file", "folder"])
def test_what_others_may_change_is_not_run(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it"
    make(path)
    owners = Owners(callers({}))
    for mode, told in ((0o755, ""), (0o757, "everybody (mode 757)"), (0o1777, "everybody (mode 1777)")):
        path.chmod(mode)
        assert owners.objection(path).endswith(told)
        assert bool(owners.objection(path)) is bool(told)
    path.chmod(0o775)
    for private in (True, False):
        monkeypatch.setattr(ownership, "_is_private", lambda _group, _owner, told=private: told)
        assert bool(owners.objection(path)) is not private
    assert owners.objection(tmp_path / "gone") == ""
    assert "belongs to " in Owners(frozenset({12345})).objection(path)
    assert Owners(frozenset({12345}), (tmp_path.resolve(),)).objection(path) == ""


def test_private_groups_are_those_of_one_alone() -> None:
    import grp
    import pwd

    assert ownership._is_private(0, 0)
    assert ownership._is_private(54321, 54321)  # no such names, as in a container
    assert not ownership._is_private(54321, 54322)
    for found in grp.getgrall():
        for name in found.gr_mem:
            owner = pwd.getpwnam(name)
            assert ownership._is_private(found.gr_gid, owner.pw_uid) is (
                found.gr_gid in ownership._ROOTS_GROUPS or (found.gr_name == name and found.gr_mem == [name])
            )


def test_a_tree_of_drvfs_shows_modes_that_mean_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    real = tmp_path.resolve()
    escaped = str(real).replace(" ", "\\040")
    for kind, found in (("ext4", True), ("9p", False), ("drvfs", False), ("vfat", False), ("cifs", False)):
        text = f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 22 0:40 / {escaped} rw,noatime shared:1 - {kind} C:\\134 rw\n"
        assert mounts(text)[-1] == (real, kind)
        owners = Owners(callers({}))
        vars(owners)["_mounts"] = mounts(text)
        assert bool(owners.objection(tmp_path)) is found


def test_an_environment_that_everybody_may_change(patient: Patient, tmp_path: Path) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    patient.venv.chmod(0o777)
    code, told = _told(project, "diagnose")
    assert (code, _codes(told), _was_run(patient)) == (1, ["not-trusted"], False)
    assert told["data"]["findings"][0]["evidence"][0] == f"{patient.venv} can be changed by everybody (mode 777)"
    assert [each["command"] for each in told["data"]["next_actions"]] == [
        f"invoke diagnose --trust --venv '{patient.venv}'"
    ]
    assert told["data"]["options"] == []


def test_sudo_counts_for_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert callers({"SUDO_UID": "7"}) == {0, 1000}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert callers({"SUDO_UID": "7"}) == {0, 7}
    assert callers({"SUDO_UID": "x"}) == {0}
