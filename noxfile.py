"""Sessions: tests, lint and types by default; locks, benchmarks and the rebuild on request.

``nox -l`` lists them. What a session installs is pinned with hashes in ``requirements/*.txt``.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# The nox command, unlike "python -m nox", does not put the folder of this file on sys.path.
sys.path.insert(0, str(ROOT / "scripts"))

from toolshed import entry

entry.prepare_nox()

import shutil
from tempfile import TemporaryDirectory

import nox

# In this order: each lock is constrained by those before it, so that one environment can hold all.
LOCKS = ("tools", "bridge", "dev")
COMPILE = (
    *("pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"),
    # The same words at the top of every lock, whichever flags made it.
    *("--custom-compile-command", "nox -s lock"),
)

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.reuse_venv = "yes"


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test with coverage; words after -- go to pytest instead (-- tests/ai -k health)."""
    install(session, *LOCKS)
    # A chosen few tests say nothing about the coverage of the whole.
    scope = session.posargs or ["--cov", "--cov-report=term"]
    session.run("python", "-m", "pytest", "-n", "2", *scope)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff; -- --fix mends what ruff can mend."""
    install(session, "dev")
    if session.posargs not in ([], ["--fix"]):
        session.error(f"lint takes only --fix, not: {' '.join(session.posargs)}")
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", *([] if session.posargs else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strictly; words after -- go to mypy."""
    install(session, *LOCKS)
    session.run("mypy", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the figures that README and CHANGELOG quote; words after -- go to tests/bench."""
    if not (ROOT / "tests" / "bench" / "__main__.py").is_file():
        session.error("there is nothing to measure with: tests/bench/__main__.py is missing")
    install(session, *LOCKS)
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Make one change of each command go wrong, at sampled points; commands, faults or soak go after --."""
    install(session, *LOCKS)
    session.run("python", "-m", "tests.faults", *session.posargs, env={"PYTHONPATH": str(ROOT / "scripts")})


@nox.session(default=False, python=False)
def lock(session: nox.Session) -> None:
    """Compile requirements/*.in to pinned *.txt; -- --check only compares, -- --upgrade [NAME ...]."""
    match session.posargs:
        case []:
            compile_locks(session, ROOT)
        case ["--check"]:
            check_locks(session)
        case ["--upgrade"]:
            compile_locks(session, ROOT, "--upgrade")
        case ["--upgrade", *names] if not any(name.startswith("-") for name in names):
            compile_locks(session, ROOT, *(f"--upgrade-package={name}" for name in names))
        case other:
            session.error(f"lock takes --check or --upgrade [NAME ...], not: {' '.join(other)}")


@nox.session(default=False, python=False)
def rebuild_venv(session: nox.Session) -> None:
    """Rebuild the managed environment from its lock, as "invoke rebuild"; its flags go after --."""
    # Imported here, so that the other sessions work whatever state the suite is in.
    from clinic import nox_doors

    # Nox knows only 0 and 1; leaving this way keeps the exit codes of the suite.
    if code := nox_doors.rebuild_venv(session.posargs, Path(session.invoked_from)):
        sys.exit(code)


@nox.session(default=False, python=False)
def wheelhouse(session: nox.Session) -> None:
    """Fill a folder with the lock's wheels, for rebuilds offline; -- [DIR] [--platform TAG] [--python V]."""
    from clinic import nox_doors

    if code := nox_doors.wheelhouse(session.posargs, Path(session.invoked_from)):
        sys.exit(code)


def install(session: nox.Session, *names: str) -> None:
    """Install locks into the session's environment, once it is known to be that environment."""
    # An environment that lost its pyvenv.cfg runs as its base: nox reuses it unseen, and would fill the base.
    place = session.virtualenv.location
    said = session.run_install("python", "-I", "-c", "import sys; print(sys.prefix)", silent=True, log=False)
    prefix = str(said).strip()
    if not Path(prefix).samefile(place):
        session.error(f"{place} is damaged, its python is that of {prefix}: delete the folder, run nox again")
    # uv links files to its cache: whoever edits one, in any environment, has edited it for all that come after.
    words = (word for name in names for word in ("-r", f"requirements/{name}.txt"))
    session.install("--require-hashes", *words, env={"UV_NO_CACHE": "1"})


def compile_locks(session: nox.Session, root: Path, *flags: str) -> None:
    """Compile the locks below ``root``; pins that still fit are kept unless the flags say otherwise."""
    with session.chdir(root):
        for name in LOCKS:
            files = (f"requirements/{name}.in", "--output-file", f"requirements/{name}.txt")
            session.run(sys.executable, "-m", "uv", *COMPILE, *flags, *files, external=True)


def check_locks(session: nox.Session) -> None:
    """Fail where compiling again, with the pins as they are, would change a lock."""
    with TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "requirements", Path(folder) / "requirements")
        compile_locks(session, Path(folder))
        stale = [name for name in LOCKS if locked(ROOT, name) != locked(Path(folder), name)]
    if stale:
        session.error(f"not what requirements/*.in asks for: {', '.join(stale)}. To compile: nox -s lock")


def locked(root: Path, name: str) -> str:
    """Return the text of a lock."""
    return (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
