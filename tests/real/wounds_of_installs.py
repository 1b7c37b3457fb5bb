"""Wounds that an installer leaves: another version, half a pip, editable projects that vanished, nothing at all."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from clinic import proc
from clinic.anatomy.record import renewed
from tests.real import wheels
from tests.real.creators import uv
from tests.real.packed import remove, site_of
from tests.real.patients import Patient
from tests.real.wounds_of_packages import wound


def install(patient: Patient, what: str) -> None:
    """Put one distribution into it, by uv and without what it requires."""
    words = [uv(), "pip", "install", "-q", "--no-deps", "--no-index", "--link-mode", "copy", "-p", str(patient.python)]
    done = subprocess.run([*words, what], env=proc.scrubbed(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


@wound("dist-other-version", "degraded", "beta")
def _another_version(patient: Patient) -> None:
    older = wheels.build(
        patient.venv.parent / "older", "beta", "1.9", {"beta.py": "WHO = 'beta'\n"}, ["beta-tool", "beta-again"]
    )
    install(patient, f"beta @ {older.path.as_uri()}")


# pip: nobody needs it here, so it is advice; it comes back without the patient's pip


def _with_pip(patient: Patient) -> None:
    from virtualenv.seed.wheels.embed import get_embed_wheel

    wheel = get_embed_wheel("pip", str(patient.base.flavour).rstrip("t"))
    if wheel is None:
        pytest.skip(f"no wheel of pip for {patient.base.flavour} is at hand")
    install(patient, f"pip @ {wheel.path.as_uri()}")


@wound("pip-broken", "advice", "pip")
def _pip_gone(patient: Patient) -> None:
    _with_pip(patient)
    shutil.rmtree(site_of(patient) / "pip")
    shutil.rmtree(next(site_of(patient).glob("pip-*.dist-info")))


@wound("pip-broken", "advice", "pip")
def _pip_without_its_vendored(patient: Patient) -> None:
    _with_pip(patient)
    shutil.rmtree(site_of(patient) / "pip" / "_vendor")


@wound("dist-duplicate", "advice", "pip")
def _pip_half_upgraded(patient: Patient) -> None:
    _with_pip(patient)
    site = site_of(patient)
    now = next(site.glob("pip-*.dist-info"))
    shutil.copytree(now, site / "pip-9.0.dist-info")
    metadata = (site / "pip-9.0.dist-info" / "METADATA").read_text(encoding="utf-8")
    (site / "pip-9.0.dist-info" / "METADATA").write_text(
        metadata.replace(f"Version: {now.name.split('-')[1].removesuffix('.dist')}", "Version: 9.0"), encoding="utf-8"
    )
    (site / "pip" / "__main__.py").unlink()


# Editable installs whose project is gone


def _editable(patient: Patient, name: str, pth: dict[str, str]) -> None:
    """As pip leaves what setuptools and hatchling write, direct_url.json included (PEP 610)."""
    gone = patient.venv.parent / "gone" / name
    wheel = wheels.build(patient.venv.parent / "editable", name, "1.0", {k: v.format(gone) for k, v in pth.items()})
    install(patient, f"{name} @ {wheel.path.as_uri()}")
    info = site_of(patient) / f"{name}-1.0.dist-info"
    told = json.dumps({"dir_info": {"editable": True}, "url": gone.as_uri()}).encode()
    (info / "direct_url.json").write_bytes(told)
    text = renewed((info / "RECORD").read_text("utf-8"), {f"{info.name}/direct_url.json": told})
    (info / "RECORD").write_text(text, encoding="utf-8")


@wound("pth-dangling", "advice", "editable")
def _editable_by_a_path(patient: Patient) -> None:
    _editable(patient, "editable", {"_editable.pth": "{}/src\n"})


@wound("pth-dangling", "advice", "editable")
def _editable_by_a_finder(patient: Patient) -> None:
    finder = "MAPPING = {{'editable': '{}/src'}}\n\ndef install():\n    pass\n"
    hook = "import __editable___editable_1_0_finder; __editable___editable_1_0_finder.install()"
    files = {"__editable__.editable-1.0.pth": hook, "__editable___editable_1_0_finder.py": finder}
    _editable(patient, "editable", files)


@wound("pth-dangling", "advice", "")
def _editable_of_old(patient: Patient) -> None:
    """As `setup.py develop` wrote it."""
    gone = patient.venv.parent / "gone" / "project"
    (site_of(patient) / "easy-install.pth").write_text(f"{gone}\n", encoding="utf-8")


# Where only a rebuild helps


@wound("site-packages-empty", "fatal", "", cure="rebuild")
def _emptied(patient: Patient) -> None:
    for path in site_of(patient).iterdir():
        remove(path)


@wound("site-packages-empty", "fatal", "", cure="rebuild")
def _lib_gone(patient: Patient) -> None:
    shutil.rmtree(patient.venv / "lib")


@wound("import-fails", "fatal", "", cure="rebuild")
def _shadowed(patient: Patient) -> None:
    """A folder of nobody's that python takes for the module."""
    (site_of(patient) / "beta").mkdir()
    (site_of(patient) / "beta" / "__init__.py").write_text("raise ImportError('not me')\n", encoding="utf-8")
