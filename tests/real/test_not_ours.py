"""What an environment sees or leads to, but does not hold, is never changed: its base's files, the ends of links."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import proc
from clinic.errors import RefusedError
from clinic.flow.reinstalling import reinstall
from clinic.flow.relinking import relink
from clinic.flow.rescripting import rescript
from clinic.flow.undoing import undo
from clinic.model import Result
from clinic.settings import Settings
from tests.real.creators import VENV, bases, uv
from tests.real.packed import PackedWard, looked, settings_around, site_of
from tests.real.patients import Patient, fingerprint
from tests.real.visits import codes, summary

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]

FAILING = "import module_that_nobody_has\n"


def _base_of_its_own(folder: Path, scripts: Path, flavour: str) -> tuple[Path, Path]:
    """A prefix whose site-packages is nobody else's: its python, and that folder."""
    here, library = folder / "bin", folder / "lib" / f"python{flavour}"
    here.mkdir(parents=True)
    library.mkdir(parents=True)
    python = here / f"python{flavour}"
    python.write_bytes((scripts / f"python{flavour}").read_bytes())
    python.chmod(0o755)
    for entry in (scripts.parent / "lib" / f"python{flavour}").iterdir():
        if entry.name != "site-packages":
            (library / entry.name).symlink_to(entry)
    (library / "site-packages").mkdir()
    return python, library / "site-packages"


def test_a_failing_pth_of_the_base_stays_where_it_is(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    python, site = _base_of_its_own(tmp_path / "base", patient.other_base, str(base.flavour))
    venv = tmp_path / "env"
    made = proc.run([python, "-m", "venv", "--without-pip", "--system-site-packages", venv], timeout=60)
    assert made.ok, made
    theirs, mine = site / "theirs.pth", Path(str(site).replace(str(tmp_path / "base"), str(venv))) / "mine.pth"
    for path in (theirs, mine):
        path.write_text(FAILING, encoding="utf-8")
    told = settings_around(tmp_path, Patient(venv, base, VENV, None, venv), packed.stock(base))
    found = [finding for finding in looked(told).findings if finding.code == "pth-failing"]
    assert [line for finding in found for line in finding.evidence if "theirs.pth" in line] == []
    assert [line for finding in found for line in finding.evidence if "mine.pth" in line] != []
    assert reinstall(told, only=["pth-failing"]).outcome != "failed"
    assert not mine.exists()
    assert theirs.read_text(encoding="utf-8") == FAILING
    assert "pth-failing" not in codes(looked(told))


def test_a_linked_package_is_replaced_and_not_written_through(packed: PackedWard, tmp_path: Path) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    package, elsewhere = site_of(patient) / "alpha", tmp_path / "elsewhere"
    package.rename(elsewhere)
    package.symlink_to(elsewhere)
    (elsewhere / "core.py").write_text("EDITED = 'by its owner'\n", encoding="utf-8")
    before, wounded = fingerprint(elsewhere), fingerprint(patient.venv)
    assert summary(reinstall(told, wheelhouse=packed.stock(base).folder)) == ("cured", 0)
    assert fingerprint(elsewhere) == before
    assert package.is_dir()
    assert not package.is_symlink()
    assert undo(told, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded
    assert fingerprint(elsewhere) == before


def _lost_interpreter(patient: Patient) -> None:
    for path in (patient.venv / "bin").glob("python*"):
        path.unlink()


def _moved_activation(patient: Patient) -> None:
    path = patient.venv / "bin" / "activate"
    path.write_bytes(path.read_bytes().replace(bytes(patient.venv), b"/opt/gone"))


def _lost_module(patient: Patient) -> None:
    (site_of(patient) / "alpha" / "core.py").unlink()


@pytest.mark.parametrize(
    ("inflict", "remedy"),
    [(_lost_interpreter, relink), (_moved_activation, rescript), (_lost_module, reinstall)],
    ids=["relink", "rescript", "reinstall"],
)
def test_a_bin_that_leads_out_is_refused(
    packed: PackedWard,
    tmp_path: Path,
    inflict: Callable[[Patient], None],
    remedy: Callable[[Settings], Result],
) -> None:
    base = bases()[-1]
    patient = packed.patient(VENV, base)
    told = settings_around(tmp_path, patient, packed.stock(base))
    inflict(patient)
    elsewhere = (patient.venv / "bin").rename(tmp_path / "elsewhere")
    (patient.venv / "bin").symlink_to(elsewhere)
    before, wounded = fingerprint(elsewhere), fingerprint(patient.venv)
    with pytest.raises(RefusedError) as refused:
        remedy(told)
    assert refused.value.code == "outside-environment"
    assert fingerprint(elsewhere) == before
    assert fingerprint(patient.venv) == wounded
