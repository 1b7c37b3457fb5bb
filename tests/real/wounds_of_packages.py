"""Wounds to packages, each with the code that names it, and what of the environment its cure may touch."""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass

from clinic.model import Severity
from tests.real.packed import remove, site_of, tag_of
from tests.real.patients import Patient

Inflict = Callable[[Patient], None]


@dataclass(frozen=True)
class PackageWound:
    """One way to hurt packages. `of` are the distributions concerned, by which pairs are told apart."""

    name: str
    code: str
    severity: Severity
    inflict: Inflict
    of: frozenset[str]
    deep: bool = False
    cure: str = "reinstall"

    def __str__(self) -> str:
        return self.name


PACKAGE_WOUNDS: list[PackageWound] = []


def wound(
    code: str, severity: Severity, of: str, *, deep: bool = False, cure: str = "reinstall"
) -> Callable[[Inflict], Inflict]:
    """Enter a function into the list under its own name."""

    def enter(inflict: Inflict) -> Inflict:
        name = inflict.__name__.strip("_").replace("_", "-")
        PACKAGE_WOUNDS.append(PackageWound(name, code, severity, inflict, frozenset(of.split()), deep, cure))
        return inflict

    return enter


@wound("record-missing", "degraded", "alpha")
def _record_deleted(patient: Patient) -> None:
    (site_of(patient) / "alpha-1.5.dist-info" / "RECORD").unlink()


@wound("record-missing", "degraded", "beta")
def _record_empty(patient: Patient) -> None:
    (site_of(patient) / "beta-2.0.dist-info" / "RECORD").write_bytes(b"")


@wound("record-missing", "degraded", "native")
def _record_is_a_pipe(patient: Patient) -> None:
    path = site_of(patient) / "native-0.3.dist-info" / "RECORD"
    path.unlink()
    os.mkfifo(path)


@wound("metadata-broken", "degraded", "alpha")
def _metadata_deleted(patient: Patient) -> None:
    (site_of(patient) / "alpha-1.5.dist-info" / "METADATA").unlink()


@wound("metadata-broken", "degraded", "beta")
def _metadata_empty(patient: Patient) -> None:
    (site_of(patient) / "beta-2.0.dist-info" / "METADATA").write_bytes(b"")


@wound("metadata-broken", "degraded", "native")
def _dist_info_gutted(patient: Patient) -> None:
    folder = site_of(patient) / "native-0.3.dist-info"
    for path in folder.iterdir():
        remove(path)


@wound("metadata-broken", "degraded", "beta")
def _metadata_of_a_way_out(patient: Patient) -> None:
    path = site_of(patient) / "beta-2.0.dist-info" / "METADATA"
    path.write_text("Metadata-Version: 2.1\nName: ../x\nVersion: 2.0\n", encoding="utf-8")


@wound("dist-missing", "degraded", "native")
def _dist_info_deleted(patient: Patient) -> None:
    shutil.rmtree(site_of(patient) / "native-0.3.dist-info")


@wound("dist-missing", "degraded", "beta")
def _uninstalled(patient: Patient) -> None:
    site = site_of(patient)
    shutil.rmtree(site / "beta-2.0.dist-info")
    (site / "beta.py").unlink()
    for name in ("beta-tool", "beta-again"):
        (patient.venv / "bin" / name).unlink()


@wound("dist-files-missing", "fatal", "alpha")
def _module_deleted(patient: Patient) -> None:
    (site_of(patient) / "alpha" / "core.py").unlink()


@wound("dist-files-missing", "fatal", "alpha")
def _package_deleted(patient: Patient) -> None:
    shutil.rmtree(site_of(patient) / "alpha")


@wound("dist-files-missing", "degraded", "spaces-one")
def _file_of_a_namespace_deleted(patient: Patient) -> None:
    (site_of(patient) / "spaces" / "one.py").unlink()


@wound("dist-files-missing", "degraded", "native")
def _file_is_a_dangling_link(patient: Patient) -> None:
    path = site_of(patient) / "native" / "__init__.py"
    path.unlink()
    path.symlink_to(patient.venv / "gone")


@wound("dist-files-missing", "advice", "extra")
def _foreign_package_deleted(patient: Patient) -> None:
    shutil.rmtree(site_of(patient) / "extra")


@wound("dist-files-altered", "fatal", "alpha")
def _module_truncated(patient: Patient) -> None:
    (site_of(patient) / "alpha" / "core.py").write_bytes(b"")


@wound("dist-files-altered", "degraded", "alpha")
def _module_edited(patient: Patient) -> None:
    path = site_of(patient) / "alpha" / "core.py"
    path.write_text(path.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")


@wound("dist-files-altered", "degraded", "beta", deep=True)
def _module_edited_at_equal_length(patient: Patient) -> None:
    path = site_of(patient) / "beta.py"
    path.write_text(path.read_text(encoding="utf-8").replace("beta", "bete"), encoding="utf-8")


@wound("dist-files-altered", "degraded", "beta", deep=True)
def _script_of_another_body(patient: Patient) -> None:
    path = patient.venv / "bin" / "beta-tool"
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    path.write_text(f"{first}\nraise SystemExit(3)\n", encoding="utf-8")


@wound("leftover-tilde", "advice", "")
def _leftovers(patient: Patient) -> None:
    folder = site_of(patient) / "~lpha-1.4.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_bytes(b"")
    (site_of(patient) / "~lpha").mkdir()


@wound("dist-duplicate", "degraded", "alpha")
def _two_dist_infos(patient: Patient) -> None:
    site = site_of(patient)
    shutil.copytree(site / "alpha-1.5.dist-info", site / "alpha-0.1.dist-info")


@wound("extension-wrong-abi", "degraded", "native")
def _extension_of_another_version(patient: Patient) -> None:
    folder = site_of(patient) / "native"
    right = folder / f"_core.{tag_of(patient.base)}.so"
    right.rename(folder / f"_core.{tag_of(patient.base, '36')}.so")


@wound("script-missing", "degraded", "beta")
def _script_deleted(patient: Patient) -> None:
    (patient.venv / "bin" / "beta-tool").unlink()


@wound("script-stale", "degraded", "beta")
def _script_of_another_place(patient: Patient) -> None:
    path = patient.venv / "bin" / "beta-tool"
    rest = path.read_text(encoding="utf-8").partition("\n")[2]
    path.write_text(f"#!/opt/gone/bin/python\n{rest}", encoding="utf-8")


@wound("script-stale", "degraded", "alpha")
def _script_by_a_shell(patient: Patient) -> None:
    path = patient.venv / "bin" / "alpha"
    text = "#!/bin/sh\n'''exec' \"/opt/an old place/bin/python\" \"$0\" \"$@\"\n' '''\nfrom alpha import main\nmain()\n"
    path.write_text(text, encoding="utf-8")


@wound("requirement-missing", "advice", "helper")
def _requirement_gone(patient: Patient) -> None:
    shutil.rmtree(site_of(patient) / "helper-7.0.dist-info")
    (site_of(patient) / "helper.py").unlink()


@wound("pyc-corrupt", "fatal", "beta", deep=True)
def _bytecode_cut(patient: Patient) -> None:
    source = site_of(patient) / "beta.py"
    status = source.stat()
    magic = patient_magic(patient)
    head = magic + struct.pack("<III", 0, int(status.st_mtime) & 0xFFFFFFFF, status.st_size)
    cache = source.parent / "__pycache__"
    cache.mkdir(exist_ok=True)
    body = marshal.dumps("no code at all")[:6]
    (cache / f"beta.cpython-{patient.base.flavour.major}{patient.base.flavour.minor}.pyc").write_bytes(head + body)


def patient_magic(patient: Patient) -> bytes:
    """The magic number of its bytecode."""
    import subprocess

    code = "import importlib.util, sys; sys.stdout.write(importlib.util.MAGIC_NUMBER.hex())"
    told = subprocess.run([patient.python, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    assert importlib.util.MAGIC_NUMBER
    return bytes.fromhex(told)


@wound("pth-undecodable", "fatal", "")
def _pth_of_other_bytes(patient: Patient) -> None:
    (site_of(patient) / "legacy.pth").write_bytes("/srv/pröjekt\n".encode("utf-16"))


@wound("pth-failing", "degraded", "")
def _pth_that_raises(patient: Patient) -> None:
    (site_of(patient) / "hook.pth").write_text("import no_such_module_of_mine\n", encoding="utf-8")


@wound("pth-failing", "fatal", "")
def _pth_that_ends_the_start(patient: Patient) -> None:
    (site_of(patient) / "hook.pth").write_text("import os; os._exit(3)\n", encoding="utf-8")


@wound("sitecustomize-failing", "degraded", "")
def _sitecustomize_that_raises(patient: Patient) -> None:
    (site_of(patient) / "sitecustomize.py").write_text("import no_such_module_of_mine\n", encoding="utf-8")


@wound("sitecustomize-failing", "fatal", "")
def _sitecustomize_that_ends_the_start(patient: Patient) -> None:
    (site_of(patient) / "sitecustomize.py").write_text("raise SystemExit('not today')\n", encoding="utf-8")


@wound("sitecustomize-failing", "fatal", "")
def _sitecustomize_as_a_package(patient: Patient) -> None:
    folder = site_of(patient) / "sitecustomize"
    folder.mkdir()
    (folder / "__init__.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")


@wound("pth-dangling", "advice", "")
def _pth_to_nowhere(patient: Patient) -> None:
    (site_of(patient) / "project.pth").write_text("/srv/gone/project\n", encoding="utf-8")


@wound("pth-dangling", "advice", "")
def _pth_to_nowhere_in_part(patient: Patient) -> None:
    (site_of(patient) / "paths.pth").write_text(f"{patient.venv}\n/srv/gone/project\n", encoding="utf-8")


@wound("record-outside", "advice", "extra")
def _record_with_a_way_out(patient: Patient) -> None:
    path = site_of(patient) / "extra-3.1.dist-info" / "RECORD"
    path.write_text(path.read_text(encoding="utf-8") + "../../../../../victim.txt,sha256=AAAA,3\n", encoding="utf-8")
