"""What scripts rely on: names, flags, help, exit codes, the envelope. Through the real command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["clinic", "command", "outcome", "exit_code", "seconds", "data", "errors"]


def invoke(*argv: str | Path, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `invoke` as people do."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("INVOKE_")}
    return subprocess.run(
        [sys.executable, "-m", "invoke", *map(str, argv)],
        cwd=cwd,
        env={**env, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def envelope(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one object on stdout."""
    told: dict[str, Any] = json.loads(done.stdout)
    assert list(told) == KEYS
    assert told["clinic"] == 1
    assert told["exit_code"] == done.returncode
    assert all(list(error) == ["code", "message", "hint"] for error in told["errors"])
    return told


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The settings file of a project of its own, in a folder with blanks, quotes, accents and a non-BMP letter."""
    folder = tmp_path / "a b'c é 𝜋"
    folder.mkdir()
    file = folder / "other.yaml"
    file.write_text("clinic:\n  environment: {imports: []}\n", encoding="utf-8")
    return file


@pytest.fixture
def venv(project: Path) -> Path:
    """An environment with nothing in it, beside that project's settings."""
    path = project.parent / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True, timeout=60)
    return path


TASKS = (
    *("onboard", "diagnose", "fix-cfg", "validate", "undo", "start", "stop"),
    *("restart", "status", "logs", "unblock", "heal", "keep-alive", "production-mode", "rebuild", "snapshot"),
)


def test_list_shows_every_task_of_the_contract() -> None:
    done = invoke("--list")
    assert done.returncode == 0
    listed = re.findall(r"^  ([a-z-]+) ", done.stdout, re.MULTILINE)
    assert set(TASKS) == set(listed)


def test_the_readme_has_a_row_for_every_task() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- commands:")[1].split("<!-- /commands -->")[0]
    assert sorted(re.findall(r"^\| `invoke ([a-z-]+)` \|", table, re.MULTILINE)) == sorted(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_help_for_every_flag(task: str) -> None:
    done = invoke("--help", task)
    assert done.returncode == 0
    assert "Docstring:" in done.stdout
    assert "none" not in done.stdout.split("Docstring:")[1].split("Options:")[0]
    flags = [line for line in done.stdout.splitlines() if re.match(r"  -", line)]
    assert any("--json" in line for line in flags)
    assert all(re.search(r"\S+ {2,}\S|[A-Z]{3,}\]?$", line) for line in flags)


def test_diagnose_names_a_lost_cfg_in_json(project: Path, venv: Path) -> None:
    (venv / "pyvenv.cfg").unlink()
    done = invoke("-f", project, "diagnose", "--venv", venv, "--json")
    told = envelope(done)
    assert (told["outcome"], done.returncode) == ("sick", 1)
    data = told["data"]
    assert list(data) == ["venv", "verdict", "findings", "options", "next_actions"]
    assert data["verdict"] == "broken"
    (finding,) = data["findings"]
    assert list(finding) == ["code", "severity", "title", "evidence", "causes", "cured_by"]
    assert finding["code"] == "cfg-missing"
    assert [list(cause) for cause in finding["causes"]] == [["cause", "why"]] * len(finding["causes"])
    assert list(data["options"][0]) == [
        "id",
        "recommended",
        "keeps_packages",
        "needs_network",
        "estimate_seconds",
        "advantages",
        "disadvantages",
    ]
    assert [option["id"] for option in data["options"] if option["recommended"]] == ["fix-cfg"]
    assert data["next_actions"][0]["priority"] == "immediate"
    assert data["next_actions"][0]["command"].startswith("invoke fix-cfg --venv ")


def test_fix_cfg_cures_proves_and_is_undone(project: Path, venv: Path) -> None:
    cfg = venv / "pyvenv.cfg"
    cfg.unlink()
    planned = invoke("-f", project, "fix-cfg", "--venv", venv, "--dry-run", "--json")
    assert (envelope(planned)["outcome"], planned.returncode, cfg.exists()) == ("planned", 0, False)
    assert not (project.parent / ".clinic").exists()
    cured = invoke("-f", project, "fix-cfg", "--venv", venv, "--json")
    told = envelope(cured)
    assert (told["outcome"], cured.returncode) == ("cured", 0)
    assert list(told["data"]["receipts"][0])[:5] == ["remedy", "changed", "stash", "seconds", "outcome"]
    assert told["data"]["receipts"][0]["outcome"] == "done"
    again = invoke("-f", project, "fix-cfg", "--venv", venv, "--json")
    assert (envelope(again)["outcome"], again.returncode) == ("unchanged", 0)
    refused = invoke("-f", project, "undo", "--dry-run", "--json")
    assert (refused.returncode, envelope(refused)["errors"][0]["code"], cfg.exists()) == (2, "would-harm", True)
    undone = invoke("-f", project, "undo", "--yes", "--json")
    assert undone.returncode == 0
    assert not cfg.exists()


def test_invokes_own_dry_is_a_dry_run(project: Path, venv: Path) -> None:
    (venv / "pyvenv.cfg").unlink()
    done = invoke("--dry", "-f", project, "fix-cfg", "--venv", venv, "--json")
    assert envelope(done)["outcome"] == "planned"
    assert not (venv / "pyvenv.cfg").exists()


def test_a_refusal_is_exit_2_with_a_hint(project: Path) -> None:
    done = invoke("-f", project, "fix-cfg", "--venv", project.parent / "nowhere", "--json")
    told = envelope(done)
    assert (told["outcome"], done.returncode) == ("refused", 2)
    assert told["errors"][0]["hint"].startswith("invoke ")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("clinic: {enviroment: {path: x}}", "did you mean 'environment'?"),
        ("clinic: {service: {prot: 1}}", "did you mean 'port'?"),
        ("clinic: {service: {port: eighty}}", "clinic.service.port"),
        ("clinic: {service: {command: [a, '{pyton}']}}", "did you mean {python}?"),
        ("clinci: {}", "did you mean 'clinic'?"),
        ("clinic: [", "correct"),
        ("- a list", "correct"),
    ],
)
def test_a_typo_in_the_settings_is_refused_with_the_nearest_key(tmp_path: Path, text: str, hint: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    done = invoke("-f", file, "diagnose")
    assert done.returncode == 2, done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    done = invoke("-f", tmp_path / "none.yaml", "diagnose", "--json")
    assert envelope(done)["errors"][0]["code"] == "settings-missing"


def test_an_unknown_variable_is_refused() -> None:
    done = invoke("diagnose", INVOKE_CLINIC_SERVICE_PROT="1")
    assert done.returncode == 2
    assert "INVOKE_CLINIC_SERVICE_PORT" in done.stderr


@pytest.mark.parametrize("task", ["status", "fix-cfg"])
def test_unreadable_settings_are_refused_in_json_too(tmp_path: Path, task: str) -> None:
    (tmp_path / "broken.yaml").write_text("clinic: [", encoding="utf-8")
    refusals = (
        (invoke("-f", tmp_path / "broken.yaml", task, "--json"), "settings-not-yaml"),
        (invoke(task, "--json", INVOKE_CLINIC_SERVICE_PROT="1"), "settings-unknown-variable"),
    )
    for done, code in refusals:
        told = envelope(done)
        assert (told["command"], told["outcome"], told["exit_code"]) == (task, "refused", 2)
        assert [error["code"] for error in told["errors"]] == [code]


def test_a_variable_overrides_the_file(project: Path) -> None:
    done = invoke("-f", project, "start", "--dry-run", "--json", INVOKE_CLINIC_SERVICE_PORT="hello")
    assert envelope(done)["errors"][0]["code"] == "settings-type"


def test_tasks_work_from_a_subfolder(project: Path, venv: Path) -> None:
    done = invoke("-f", project, "diagnose", "--venv", venv, "--json", cwd=ROOT / "scripts" / "clinic")
    assert (envelope(done)["outcome"], done.returncode) == ("healthy", 0)


def test_the_lock_between_runs(project: Path, venv: Path) -> None:
    from clinic.records import Records

    (venv / "pyvenv.cfg").unlink()
    with Records(project.parent / ".clinic").lock("heal", venv):
        done = invoke("-f", project, "fix-cfg", "--venv", venv, "--json")
    told = envelope(done)
    assert (told["outcome"], done.returncode) == ("busy", 4)
    assert str(os.getpid()) in told["errors"][0]["message"]
    assert "since" in told["errors"][0]["message"]


def test_a_bug_is_exit_3_with_a_report(project: Path, venv: Path) -> None:
    site = project.parent / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import clinic.checks as c\ndef broken(facts): raise ZeroDivisionError('planted')\nc.examine = broken\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(site), str(ROOT / "scripts")])
    done = invoke("-f", project, "diagnose", "--venv", venv, "--json", PYTHONPATH=path)
    told = envelope(done)
    assert done.returncode == 3
    assert "ZeroDivisionError: planted" in told["errors"][0]["message"]


def test_diagnose_list_names_every_code() -> None:
    codes = envelope(invoke("diagnose", "--list", "--json"))["data"]["codes"]
    names = [entry["code"] for entry in codes]
    assert len(names) == len(set(names)) > 30
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_keep_alive_and_production_mode_have_dry_runs(project: Path, venv: Path) -> None:
    for task in ("keep-alive", "production-mode"):
        told = envelope(invoke("-f", project, task, "--venv", venv, "--dry-run", "--json"))
        assert (told["command"], told["outcome"], told["exit_code"]) == (task, "planned", 0)
        assert told["data"]["plan"]
    assert not (project.parent / ".clinic").exists()


@pytest.mark.parametrize("flags", [("--print",), ("--install", "--print")])
def test_production_mode_prints_the_unit_and_nothing_else(project: Path, flags: tuple[str, ...]) -> None:
    done = invoke("-f", project, "production-mode", *flags)
    assert done.returncode == 0
    assert "keep-alive" in done.stdout
    assert str(project.name) in done.stdout
    assert done.stderr == ""


def test_a_snapshot_is_taken_of_a_healthy_environment_only(project: Path, venv: Path) -> None:
    taken = invoke("-f", project, "snapshot", "--venv", venv, "--json")
    assert envelope(taken)["outcome"] == "healthy"
    (venv / "pyvenv.cfg").unlink()
    refused = invoke("-f", project, "snapshot", "--venv", venv, "--json")
    told = envelope(refused)
    assert (refused.returncode, told["errors"][0]["code"]) == (2, "cfg-missing")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("digagnose",), "invoke diagnose"),
        (("nothing-like-it",), "invoke --list"),
        (("diagnose", "--jsn"), "invoke --help diagnose"),
        (("fix-cfg", "--base"), "invoke --help fix-cfg"),
        (("status", "more"), "invoke --help status"),
        (("--bogus", "logs"), "invoke --help logs"),
    ],
)
def test_misuse_is_exit_2_with_a_hint(words: tuple[str, ...], hint: str) -> None:
    said = invoke(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert f"hint: {hint}" in said.stderr
    told = envelope(invoke(*words[:1], "--json", *words[1:]))
    assert (told["outcome"], told["errors"][0]["code"], told["errors"][0]["hint"]) == ("refused", "misused", hint)


def test_whoever_else_imports_the_tasks_is_not_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import tasks; print('imported')", "--no-such-flag"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


@pytest.mark.parametrize(
    "words", [("validate", "--venv", "/nowhere/at/all"), ("start",), ("fix-cfg", "--base", "/nowhere")]
)
def test_commands_that_are_refused_or_fail_nag_about_a_stopgap_too(
    project: Path, venv: Path, words: tuple[str, ...]
) -> None:
    from clinic.service import memory
    from clinic.settings import load

    (venv / "pyvenv.cfg").unlink()
    project.write_text(f"clinic:\n  environment: {{imports: [], path: {venv.name}}}\n", encoding="utf-8")
    memory.keep(load(project.parent, project, {}), wanted="up", stopgap="borrow")
    done = invoke("-f", project, *words)
    assert done.returncode in {1, 2}
    assert "the server runs on a stopgap (borrow" in " ".join(done.stderr.split())
    envelope(invoke("-f", project, *words, "--json"))
