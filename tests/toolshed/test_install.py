"""pip, uv, or neither: what is there is used, what is missing is named."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.toolshed.workbench import without_ensurepip
from toolshed import install, pip_settings
from toolshed.shed import excerpt, pins
from toolshed.trouble import from_os, from_output

if TYPE_CHECKING:
    from tests.toolshed.workbench import Clone


def test_pip_does_it_where_there_is_no_uv(seeded: Clone, tmp_path: Path) -> None:
    seeded.env |= {"PIP_TARGET": str(tmp_path / "target"), "PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1"}
    done = seeded.run("run", "first", VIRTUAL_ENV=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "  + invoke 1.0\n" in done.stderr
    assert done.stdout.splitlines()[1] == "False"
    assert json.loads((seeded.tools / "bridge-clinic.json").read_text())["installer"] == "pip"
    assert not (tmp_path / "target").exists()
    script = subprocess.run([seeded.bin / "invoke", "7"], capture_output=True, check=False)
    assert script.returncode == 7


def test_uv_does_it_where_ensurepip_is_missing(clone: Clone) -> None:
    assert clone.run("run", "first").returncode == 0
    assert json.loads((clone.tools / "bridge-clinic.json").read_text())["installer"] == "uv"
    assert subprocess.run([clone.bin / "invoke", "7"], capture_output=True, check=False).returncode == 7


def test_neither_ensurepip_nor_uv_is_refused_before_anything_is_touched(seeded: Clone, tmp_path: Path) -> None:
    refused = seeded.run("run", "first", PYTHONPATH=without_ensurepip(tmp_path / "no-ensurepip"))
    assert refused.returncode == 2
    assert "bootstrap: no-ensurepip:" in refused.stderr
    assert not seeded.tools.exists()


def test_wrong_hash_is_refused(clone: Clone) -> None:
    lock = clone.root / "requirements" / "tools.txt"
    lock.write_text(re.sub(r"sha256:.{8}", "sha256:00000000", lock.read_text()), encoding="utf-8")
    failed = clone.run("run", "first")
    assert failed.returncode == 1
    assert "bootstrap: hash-mismatch:" in failed.stderr
    assert not clone.tools.exists()


def test_debian_is_told_the_package_of_this_very_minor_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "is_debian", lambda: True)
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert install.no_ensurepip("").hint.startswith(f"apt install python{minor}-venv;")
    monkeypatch.setattr(sys, "base_prefix", "/opt/python")
    assert "apt" not in install.no_ensurepip("").hint


def test_what_pip_was_told_is_said_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX", "UV_DEFAULT_INDEX", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    told = {
        "index-url": "https://a",
        "extra-index-url": "https://b https://c",
        "cert": "/pem",
        "no-index": "true",
    }
    flags, variables = pip_settings.translated(told | {"find-links": "/w1 /w2", "trusted-host": "h"})
    assert flags == ["--find-links", "/w1", "--find-links", "/w2", "--no-index", "--allow-insecure-host", "h"]
    assert variables == {
        "UV_DEFAULT_INDEX": "https://a",
        "UV_INDEX": "https://b https://c",
        "SSL_CERT_FILE": "/pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk-full",
        ),
        ("error: failed to write: No space left on device (os error 28)", "disk-full"),
        ("NewConnectionError('<pip._vendor...>: Failed to establish a new connection')", "no-index"),
        ("  cause: dns error\n  cause: error resolving DNS", "no-index"),
        ("ERROR: No matching distribution found for nox==1.0", "no-index"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "hash-mismatch"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...'))", "certificate"),
        ("something nobody has seen", "install-failed"),
    ],
)
def test_words_of_installers_are_understood(said: str, code: str) -> None:
    trouble = from_output(said, "installing")
    assert trouble.code == code
    assert trouble.why.splitlines()[0] in said
    assert "python scripts/bootstrap.py" in trouble.hint


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EIO, "disk-error"),
        (errno.EROFS, "not-writable"),
        (errno.EACCES, "not-writable"),
        (errno.EMFILE, "no-means"),
        (errno.ENOMEM, "no-means"),
        (errno.ENOTDIR, "system"),
    ],
)
def test_what_the_system_refuses_is_named_and_refused(number: int, code: str) -> None:
    error = OSError(number, os.strerror(number), "/srv/file")
    trouble = from_os(error, "writing")
    assert (trouble.code, trouble.exit_code, trouble.why) == (code, 2, str(error))
    assert "python scripts/bootstrap.py" in trouble.hint
    if code != "system":  # an installer that meets it ends in the same way
        said = f"building\nERROR: Could not install packages due to an OSError: {error}\nmore"
        trouble = from_output(said, "installing")
        assert (trouble.code, trouble.exit_code) == (code, 2)
        assert trouble.why == said.splitlines()[1]


def test_real_lock_can_be_taken_apart() -> None:
    lock = (Path(__file__).parents[2] / "requirements" / "tools.txt").read_text(encoding="utf-8")
    uv, rest = excerpt(lock, "uv"), excerpt(lock, "uv", without=True)
    assert list(pins(uv)) == ["uv"]
    assert set(pins(rest)) == set(pins(lock)) - {"uv"}
    assert "colorama" not in pins(lock)
    assert uv.count("--hash=sha256:") + rest.count("--hash=sha256:") == lock.count("--hash=sha256:")
