"""The judgements of a rebuild that need no environment: words for installers, their reasons, modules, drift, tags."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest

from clinic import proc
from clinic.anatomy import record
from clinic.drift import drift
from clinic.facts import Flavour
from clinic.remedies import path_length, proof, wheelhouse
from clinic.remedies.install import Source, failure, pip_words, reason_in, uv_words
from clinic.remedies.proof import ALTERED, read_all, service_module

LOCK = Path("bridge.txt")


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            "error: Failed to download `h11==1`\n  cause: Hash mismatch for `h11==1`\n",
            "hash-mismatch",
            "Hash mismatch for `h11==1`",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "hash-mismatch", "DO NOT MATCH"),
        (
            "error: No solution found\n  cause: Because x was not found in the package registry",
            "not-available",
            "x was not found",
        ),
        ("ERROR: No matching distribution found for x==1", "not-available", "x==1"),
        ("cause: x was not found in the cache\n\nhint: the network was disabled.", "no-index", "network was disabled"),
        ("error: Request failed\n  cause: error sending request for url", "no-index", "error sending request"),
        ("error: No space left on device (os error 28)", "disk-full", "No space left"),
        (
            "  \u00d7 Failed to build `x==1`\n  ╰─▶ The build backend returned an error",
            "build-failed",
            "Failed to build",
        ),
        (
            "error: failed to create file `x`: The filename or extension is too long. (os error 206)",
            "path-too-long",
            "206",
        ),
        ("HINT: This error might have occurred since ... Windows Long Path support enabled", "path-too-long", "HINT"),
        ("something else\n", "install-failed", "something else"),
    ],
)
def test_the_installers_own_reason(said: str, code: str, words: str) -> None:
    error = failure("uv", proc.Completed(1, said, "", 0.1), Source(LOCK))
    assert error.code == code
    assert words in error.message
    assert error.hint


def test_a_folder_that_cannot_be_made_may_be_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows says that there is no such path (3) as often as that it is too long (206)."""
    path = "C:\\dev\\" + "deep\\" * 60
    said = f"error: failed to create directory `{path}`: The system cannot find the path specified. (os error 3)"
    done = proc.Completed(2, said, "", 0.1)
    assert failure("uv", done, Source(LOCK)).code == "install-failed"
    monkeypatch.setattr(path_length, "limit", lambda: path_length.MAX_PATH)
    assert failure("uv", done, Source(LOCK)).code == "path-too-long"
    assert failure("uv", proc.Completed(2, said.replace("deep", "d"), "", 0.1), Source(LOCK)).code == "install-failed"


def test_a_reason_is_one_line_of_bearable_length() -> None:
    told = reason_in("error: " + "word " * 1000 + "\n cause: more")
    assert "\n" not in told
    assert len(told) <= 600


def test_what_installers_are_asked_for() -> None:
    source = Source(LOCK, wheelhouse=Path("w"))
    for words in (uv_words("uv", Path("py"), source), pip_words(Path("py"), source)):
        assert "--require-hashes" in words
        assert "--no-index" in words
        assert words[words.index("--python") + 1] == "py"
        assert words[-2:] == ["-r", "bridge.txt"]
    loose = uv_words("uv", Path("py"), Source(LOCK, hashes=False, complete=False))
    assert not {"--require-hashes", "--no-deps", "--no-index"} & set(loose)


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (["{python}", "-m", "uvicorn", "app:app"], "uvicorn"),
        (["{python}", "-X", "-m", "hypercorn"], "hypercorn"),
        (["{python}", "script.py", "-m", "no"], None),
        (["{python}", "-m"], None),
        (["gunicorn", "-m", "x"], None),
    ],
)
def test_the_services_module(command: list[str], module: str | None) -> None:
    assert service_module(command) == module


def test_drift_of_two_versions_at_once() -> None:
    told = drift([("a", "1"), ("a", "2"), ("b", "1")], [("a", "2"), ("c", "3")]).as_json()
    assert told == {
        "extra": [{"name": "b", "version": "1"}],
        "missing": [{"name": "c", "version": "3"}],
        "other_version": [{"name": "a", "installed": ["1", "2"], "locked": "2"}],
    }
    assert drift([("a", "1")], [("a", "1")]).as_json() == {"extra": [], "missing": [], "other_version": []}


def test_only_rows_with_a_strong_hash_of_something_lasting_count() -> None:
    text = "a.py,sha256=abc,1\nb.py,,\nc.py,md5=x,1\nd.pyc,sha256=x,1\n\n"
    assert [row.path for row in record.rows(text) if row.checkable] == ["a.py"]


def test_tags_of_a_platform_and_of_what_runs_there_too() -> None:
    assert wheelhouse.tags("win_amd64") == ["win_amd64"]
    told = wheelhouse.tags("manylinux_2_17_aarch64")
    assert told[:3] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_16_aarch64"]
    assert "manylinux_2_28_aarch64" not in told


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("win_amd64", ("win32", "Windows", "AMD64")),
        ("macosx_11_0_arm64", ("darwin", "Darwin", "arm64")),
        ("manylinux_2_28_x86_64", ("linux", "Linux", "x86_64")),
    ],
)
def test_markers_of_another_platform(platform: str, expected: tuple[str, str, str]) -> None:
    values = wheelhouse.marker_values([platform])
    assert (values["sys_platform"], values["platform_system"], values["platform_machine"]) == expected
    assert wheelhouse.marker_values([]) == {}


def test_free_threaded_wheels_have_an_abi_of_their_own() -> None:
    words = wheelhouse.download_words(Path("w"), LOCK, Flavour(3, 14, free_threaded=True), ["win_amd64"])
    assert words[words.index("--abi") + 1] == "cp314t"
    assert words[words.index("--platform") + 1] == "win_amd64"
    assert "--abi" not in wheelhouse.download_words(Path("w"), LOCK, Flavour(3, 13), [])


def test_lines_come_while_a_program_runs_and_its_end_is_told() -> None:
    lines: list[str] = []
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr); raise SystemExit(3)"
    done = proc.stream([sys.executable, "-c", code], timeout=30, on_line=lines.append)
    assert (done.code, sorted(lines)) == (3, ["one", "two"])
    late = proc.stream([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5, on_line=lines.append)
    assert (late.code, late.reason) == (None, "no end in 0.5 s")
    assert proc.stream(["/no/such/program"], timeout=1, on_line=lines.append).code is None


def test_an_error_of_the_listener_ends_the_program() -> None:
    def stop(_line: str) -> None:
        raise KeyboardInterrupt

    code = "print('x', flush=True); import time; time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        proc.stream([sys.executable, "-c", code], timeout=30, on_line=stop)


def test_every_file_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its size: what is kept of it is two blocks at most, and a name that lies across two is seen."""
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    info = site / "big-1.dist-info"
    info.mkdir(parents=True)
    monkeypatch.setattr(proof, "_BLOCK", 4096)
    contents = {
        "across.bin": bytes(4090) + b"segment-1234" + bytes(5000),
        "within.bin": bytes(5000) + b"segment-1234",
        "large.bin": bytes(20 * 1024**2),
        "other.bin": b"segment-123",
    }
    for name, data in contents.items():
        (site / name).write_bytes(data)
    rows = [f"{name},sha256={record.digest_of(data)},{len(data)}" for name, data in contents.items()]
    rows[-1] = "other.bin,sha256=AAAA,11"
    (info / "RECORD").write_text("\n".join([*rows, "gone.bin,sha256=AAAA,1"]), encoding="utf-8")
    tracemalloc.start()
    reading = read_all(tmp_path, site, "segment-1234")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sorted(path.name for path in reading.named) == ["across.bin", "within.bin"]
    assert reading.objections == [
        f"{site / 'other.bin'} {ALTERED}",
        f"{site / 'gone.bin'} is in a RECORD, and not there",
    ]
    assert peak < 4 * 1024**2
