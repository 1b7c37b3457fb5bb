"""What relink lays into `Scripts`: worked out and written byte by byte, on a Windows base tree that is made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clinic.anatomy import laid
from clinic.checks import examine
from clinic.errors import RefusedError
from clinic.facts import BaseSearch, Creator, Facts, Flavour, Interpreter
from clinic.observe import observe
from clinic.observe.tree import read_tree
from clinic.records import Records
from clinic.remedies import relink
from tests.anatomy.test_program import pe

OLD = ("python.exe", "pythonw.exe")
NEW = ("venvlauncher.exe", "venvwlauncher.exe", "venvlaunchert.exe", "venvwlaunchert.exe")
_DEBUG = ("venvlauncher_d.exe", "venvwlauncher_d.exe", "venvlaunchert_d.exe", "venvwlaunchert_d.exe")


def base_tree(folder: Path, names: tuple[str, ...]) -> Path:
    """A base's prefix with its launchers, each with bytes of its own."""
    scripts = folder.joinpath(*laid.LAUNCHERS)
    scripts.mkdir(parents=True)
    for name in names:
        windowed = name.startswith(("pythonw", "venvw"))
        (scripts / name).write_bytes(pe(subsystem=2 if windowed else 3) + name.encode() + bytes(1024))
    return folder


def environment(folder: Path, creator: Creator = "venv") -> Path:
    """An environment that has lost its interpreters."""
    (folder / "Scripts").mkdir(parents=True)
    (folder / "Lib" / "site-packages").mkdir(parents=True)
    (folder / "Scripts" / "Activate.ps1").write_text("$env:VIRTUAL_ENV = $VenvDir\n", encoding="utf-8")
    (folder / "Scripts" / "activate.bat").write_text(f'@set "VIRTUAL_ENV={folder}"\n', encoding="utf-8")
    if creator == "virtualenv":
        (folder / "CACHEDIR.TAG").write_text("created by virtualenv\n", encoding="utf-8")
    (folder / "pyvenv.cfg").write_bytes(b"home = C:\\the base\r\ninclude-system-site-packages = false\r\n")
    return folder


@pytest.mark.parametrize(
    ("creator", "flavour", "there", "expected"),
    [
        ("venv", Flavour(3, 11), OLD, {"python.exe": "python.exe", "pythonw.exe": "pythonw.exe"}),
        (
            "venv",
            Flavour(3, 13),
            (*NEW, *_DEBUG),
            {"python.exe": "venvlauncher.exe", "pythonw.exe": "venvwlauncher.exe"},
        ),
        ("uv", Flavour(3, 13), NEW, {"python.exe": "venvlauncher.exe", "pythonw.exe": "venvwlauncher.exe"}),
        (
            "venv",
            Flavour(3, 14, free_threaded=True),
            NEW,
            {
                "python.exe": "venvlaunchert.exe",
                "python3.14t.exe": "venvlaunchert.exe",
                "pythonw.exe": "venvwlaunchert.exe",
                "pythonw3.14t.exe": "venvwlaunchert.exe",
            },
        ),
        (
            "virtualenv",
            Flavour(3, 13),
            NEW,
            {
                "python.exe": "venvlauncher.exe",
                "python3.exe": "venvlauncher.exe",
                "python3": "venvlauncher.exe",
                "pythonw.exe": "venvwlauncher.exe",
                "pythonw3.exe": "venvwlauncher.exe",
            },
        ),
        (
            "virtualenv",
            Flavour(3, 14, free_threaded=True),
            NEW,
            {
                "python.exe": "venvlaunchert.exe",
                "python3.exe": "venvlaunchert.exe",
                "python3.14t.exe": "venvlaunchert.exe",
                "python3": "venvlaunchert.exe",
                "pythonw.exe": "venvwlaunchert.exe",
                "pythonw3.exe": "venvwlaunchert.exe",
                "pythonw3.14t.exe": "venvwlaunchert.exe",
            },
        ),
    ],
)
def test_each_name_is_a_copy_of_its_launcher(
    tmp_path: Path, creator: Creator, flavour: Flavour, there: tuple[str, ...], expected: dict[str, str]
) -> None:
    prefix, venv = base_tree(tmp_path / "base", there), environment(tmp_path / "env", creator)
    steps = tuple(relink.windows(read_tree(venv, "windows"), prefix, flavour))
    source = prefix.joinpath(*laid.LAUNCHERS)
    assert {step.path.name: step.source for step in steps} == {n: source / s for n, s in expected.items()}
    records = Records(tmp_path / "records")
    with records.transaction("relink", venv) as change:
        for step in steps:
            relink.lay(step, change)
        change.commit()
    written = {path.name: path.read_bytes() for path in (venv / "Scripts").iterdir() if path.stem.lower() != "activate"}
    assert written == {name: (source / launcher).read_bytes() for name, launcher in expected.items()}
    assert not list(relink.windows(read_tree(venv, "windows"), prefix, flavour)), "what is right is left alone"
    assert [finding.code for finding in examine(observe(venv))] == []
    entry = records.standing(venv)[0]
    records.undo(entry)
    assert {path.stem.lower() for path in (venv / "Scripts").iterdir()} == {"activate"}


def test_a_debug_base_has_names_of_its_own(tmp_path: Path) -> None:
    prefix, venv = base_tree(tmp_path / "base", (*NEW, *_DEBUG)), environment(tmp_path / "env")
    steps = relink.windows(read_tree(venv, "windows"), prefix, Flavour(3, 13), debug=True)
    assert {(step.path.name, step.source.name) for step in steps if step.source} == {
        ("python.exe", "venvlauncher_d.exe"),
        ("python_d.exe", "venvlauncher_d.exe"),
        ("pythonw.exe", "venvwlauncher_d.exe"),
        ("pythonw_d.exe", "venvwlauncher_d.exe"),
    }


def test_a_base_without_launchers_is_refused(tmp_path: Path) -> None:
    """An embedded Python has no Lib at all; one of the wrong threading build lacks the launcher that is needed."""
    prefix, venv = base_tree(tmp_path / "base", NEW[:2]), environment(tmp_path / "env")
    tree = read_tree(venv, "windows")
    for place, flavour in ((tmp_path / "nothing", Flavour(3, 13)), (prefix, Flavour(3, 14, free_threaded=True))):
        with pytest.raises(RefusedError) as refused:
            list(relink.windows(tree, place, flavour))
        assert (refused.value.code, refused.value.hint) == ("no-launchers", "invoke rebuild")


def test_the_draft_takes_the_platform_from_the_tree(tmp_path: Path) -> None:
    prefix, venv = base_tree(tmp_path / "base", NEW), environment(tmp_path / "env")
    base = Interpreter(
        executable=prefix / "python.exe",
        real=prefix / "python.exe",
        version=(3, 13, 2),
        flavour=Flavour(3, 13),
        implementation="cpython",
        prefix=prefix,
        base_prefix=prefix,
        machine="win32-64",
    )
    facts: Facts = replace(observe(venv), search=BaseSearch(base, "named in a test"))
    draft = relink.draft(facts, None)
    assert [step.path.name for step in draft.steps] == ["python.exe", "pythonw.exe"]


# What is found there, statically


def whole(tmp_path: Path) -> Path:
    """An environment with both launchers."""
    venv = environment(tmp_path / "env")
    for name, subsystem in (("python.exe", 3), ("pythonw.exe", 2)):
        (venv / "Scripts" / name).write_bytes(pe(subsystem=subsystem) + bytes(1024))
    assert examine(observe(venv)) == ()
    return venv


def found(venv: Path) -> list[tuple[str, str]]:
    """Codes and severities of a look."""
    return [(finding.code, finding.severity) for finding in examine(observe(venv))]


def test_a_lost_windowless_launcher(tmp_path: Path) -> None:
    venv = whole(tmp_path)
    (venv / "Scripts" / "pythonw.exe").unlink()
    assert found(venv) == [("pythonw-missing", "advice")]


@pytest.mark.parametrize("name", ["python.exe", "pythonw.exe"])
def test_a_launcher_of_the_wrong_kind(tmp_path: Path, name: str) -> None:
    venv = whole(tmp_path)
    other = "pythonw.exe" if name == "python.exe" else "python.exe"
    (venv / "Scripts" / name).write_bytes((venv / "Scripts" / other).read_bytes())
    assert found(venv) == [("python-wrong-kind", "degraded")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "python-truncated"),
        (pe() + bytes(10), "python-truncated"),
        (b"MZ", "python-truncated"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(100), "python-wrong-architecture"),
        (b"not here any more\r\n", "python-replaced"),
    ],
)
def test_something_else_in_the_launchers_place(tmp_path: Path, data: bytes, code: str) -> None:
    venv = whole(tmp_path)
    (venv / "Scripts" / "python.exe").write_bytes(data)
    assert found(venv) == [(code, "fatal")]


def test_a_lost_launcher(tmp_path: Path) -> None:
    venv = whole(tmp_path)
    (venv / "Scripts" / "python.exe").unlink()
    assert found(venv) == [("python-missing", "fatal")]


def test_a_free_threaded_environment_has_a_second_name(tmp_path: Path) -> None:
    venv = whole(tmp_path)
    (venv / "Lib" / "site-packages" / "native.cp314t-win_amd64.pyd").write_bytes(pe() + bytes(1024))
    assert found(venv) == [("python-alias-broken", "advice")]
    for name in ("python3.14t.exe", "pythonw3.14t.exe"):
        plain = "pythonw.exe" if "w" in name else "python.exe"
        (venv / "Scripts" / name).write_bytes((venv / "Scripts" / plain).read_bytes())
    assert found(venv) == []
