"""What the repository promises as a whole: pins with hashes, no traces of a machine, one test command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("tools", "bridge", "dev")
COMMAND = "python scripts/bootstrap.py test"


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pinned(lock: str) -> dict[str, str]:
    """Return the versions that a lock pins, each known to carry a hash."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text(f"requirements/{lock}.txt"))[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    pairs = (re.match(r"([A-Za-z0-9._-]+)==(\S+)", block) for block in blocks)
    return {match[1]: match[2] for match in pairs if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_with_hashes_and_names_no_index(lock: str) -> None:
    assert len(pinned(lock)) == len(re.findall(r"(?m)^[A-Za-z0-9]", text(f"requirements/{lock}.txt")))
    assert not re.search(r"://|--index|--find-links|--extra", text(f"requirements/{lock}.txt"))


@pytest.mark.parametrize("lock", LOCKS)
def test_each_wish_is_locked_and_says_why(lock: str) -> None:
    wishes = [line for line in text(f"requirements/{lock}.in").splitlines() if line[:1].isalpha()]
    assert wishes
    assert all(re.search(r"\s# \S", line) for line in wishes)
    names = {re.split(r"[\s<>=\[]", line, maxsplit=1)[0] for line in wishes}
    assert names <= set(pinned(lock))


def test_locks_agree_so_that_one_environment_can_hold_all() -> None:
    tools, bridge, dev = map(pinned, LOCKS)
    for first, second in ((tools, bridge), (tools, dev), (bridge, dev)):
        assert {name: first[name] for name in first.keys() & second.keys()} == {
            name: second[name] for name in first.keys() & second.keys()
        }


def test_ci_calls_the_command_of_the_readme() -> None:
    assert text(".ci/run").splitlines()[-1] == COMMAND
    assert f"run: {COMMAND}" in text(".github/workflows/ci.yml")
    assert "run: python scripts/bootstrap.py\n" in text(".github/workflows/ci.yml")


def test_bootstrap_imports_the_standard_library_only() -> None:
    program = "import sys; sys.path.insert(0, 'scripts'); import toolshed.door; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert roots - set(sys.stdlib_module_names) <= {"__main__", "toolshed"}


def test_no_traces_of_a_machine() -> None:
    # Put together here, or this file would be found.
    traces = re.compile("|".join(("/" + "root/", r"py" + r"pi\.org", "/" + "work/main")))
    names = ("*.py", "*.txt", "*.in", "*.toml", "*.yml", "*.yaml", "*.md", "*.sh", "*.ps1")
    folders = (ROOT, *(ROOT / name for name in ("scripts", "requirements", "ai", "tests", ".ci", ".github")))
    files = {
        path
        for folder in folders
        for name in names
        for path in (folder.glob(name) if folder == ROOT else folder.rglob(name))
        if not any(part.startswith((".venv", "venv", "__pycache__")) for part in path.parts)
    }
    assert len(files) > len(LOCKS)
    found = [str(path.relative_to(ROOT)) for path in files if traces.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_workflow_runs_what_was_read_and_keeps_no_token() -> None:
    """A tag of an action can be moved; a commit cannot. What a step needs of the token it is given."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert not [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)]
    assert text.count("persist-credentials: false") == sum(each.startswith("actions/checkout@") for each in used)
