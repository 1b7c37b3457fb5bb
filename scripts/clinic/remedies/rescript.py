"""Make an environment's own files name the place where it lies: scripts, launchers, activations, editable projects.

Every package stays, and no network is needed. Only what names a path is changed: the first line of a script, the path
in an activation, a line of a `.pth`; the rows of RECORD follow. Of a copy, the original is never touched.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinic.anatomy import activate_writer, distinfo, layout, pth, record
from clinic.anatomy.shebang_writer import restarted
from clinic.checks import scripts
from clinic.checks.reading import cfg_of
from clinic.facts import Facts, Tree
from clinic.model import Receipt
from clinic.place_facts import Carried, Script
from clinic.records import Records
from clinic.remedies import ground, settle
from clinic.remedies.started import unproved

NAME = "rescript"
_MOST = 256 * 1024 * 1024
"""What is rewritten is held in memory: a program packed behind a first line (pex, zipapp) has megabytes as a rule."""
Fresh = Callable[[], dict[str, bytes]]
"""New activation scripts for this very path, by name in lower case."""


@dataclass
class Draft:
    """The files as they are to be, and what can't be done."""

    venv: Path
    changed: dict[Path, bytes] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    scripts: list[Path] = field(default_factory=list)
    """Those of `changed` that are to start with this environment's python."""

    def put(self, path: Path, data: bytes | None, step: str) -> None:
        """Enter a new content; None says that it can't be written."""
        if data is None:
            self.stuck.append(f"{path} can't be changed without breaking it")
        elif data != _content(path):
            self.changed[path] = data
            self.steps.append(step)


def draft(facts: Facts, fresh: Fresh = dict) -> Draft:
    """What is to be written. `fresh` is asked only where an activation is beyond mending.

    Raises RefusedError where it lies behind a link that leads out of the environment.
    """
    tree, plan = facts.tree, Draft(facts.venv)
    if tree is None:
        return plan
    here = str(facts.venv)
    _activations(plan, facts, here)
    _scripts(plan, facts, tree, here)
    _cfg(plan, facts, here)
    for each in facts.places.carried:
        _carry(plan, each)
    if tree.site_packages:
        for path, data in _records(plan, tree.site_packages).items():
            plan.put(path, data, f"correct {path}")
    _damaged(plan, facts, fresh)
    ground.refuse_outside(facts.venv, *(path.parent for path in plan.changed))
    return plan


def _content(path: Path) -> bytes:
    """All that is there, for it is written back; nothing where not all of it can be read."""
    try:
        data = distinfo.beginning(path, _MOST + 1)
    except OSError:
        return b""
    return data if len(data) <= _MOST else b""


def _activations(plan: Draft, facts: Facts, here: str) -> None:
    for each in facts.places.activations:
        if each.recorded and not each.is_here:
            text = _content(each.path).decode("utf-8", "surrogateescape")
            new = activate_writer.respelled(each.path.name, text, each.recorded, here)
            data = None if new is None else new.encode("utf-8", "surrogateescape")
            plan.put(each.path, data, f"make {each.path} name {here}")


def _damaged(plan: Draft, facts: Facts, fresh: Fresh) -> None:
    broken = [each.path for each in facts.places.activations if each.problem]
    new = fresh() if broken else {}
    for path in broken:
        plan.put(path, new.get(path.name.lower()), f"write {path} anew")


def _scripts(plan: Draft, facts: Facts, tree: Tree, here: str) -> None:
    folder = layout.pure(here, tree.platform) / tree.scripts.name
    for each in _to_restart(facts):
        name = layout.pure(each.interpreter, tree.platform).name
        python = name if (tree.scripts / name).exists() else layout.python_in(facts.venv, tree.platform).name
        data = restarted(_content(each.path), str(folder / python))
        plan.put(each.path, data, f"make {each.path} start with {folder / python}")
        if each.path in plan.changed:
            plan.scripts.append(each.path)


def _to_restart(facts: Facts) -> Iterator[Script]:
    """Scripts that start from elsewhere, or that the kernel can't start."""
    stale = {name for each in (facts.packages.installed if facts.packages else ()) for name, _ in each.scripts_stale}
    strangers = scripts.strangers(facts)
    for each in facts.places.scripts:
        if (each.owner and each.path.name in stale) or each.obstacle or each in strangers:
            yield each


def _cfg(plan: Draft, facts: Facts, here: str) -> None:
    """The creator's command line, for display only: its last word where that names the old place."""
    cfg, file = cfg_of(facts), facts.cfg
    if cfg is None or file is None or cfg.encoding != "utf-8" or file.file.kind != "file":
        return
    for old in facts.places.elsewhere:
        line = re.compile(rb"(?m)^([ \t]*command[ \t]*=.*[ \t])" + re.escape(_bytes(old)) + rb"(?=[ \t]*\r?$)")
        if line.search(cfg.raw) and here.isprintable():
            data = line.sub(lambda match: match[1] + _bytes(here), cfg.raw)
            plan.put(file.file.path, data, f"make 'command' in {file.file.path} name {here}")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _carry(plan: Draft, each: Carried) -> None:
    """A path of a moved project, in the file that names it and in the finder beside it (setuptools)."""
    if each.file.suffix == ".pth":
        plan.put(each.file, _line_for(each), f"make {each.file} name {each.new}")
        return
    plan.put(each.file, _origin_for(each), f"make {each.file} name {each.new}")
    for finder in sorted(each.file.parent.parent.glob("__editable___*_finder.py")):
        text = _content(finder).decode("utf-8", "surrogateescape")
        new = re.sub(rf"(?<=['\"]){re.escape(each.old)}(?=[/'\"])", lambda _match: each.new, text)
        is_plain = not set(each.new) & set("'\"\\")
        if new != text:
            plan.put(finder, _bytes(new) if is_plain else None, f"make {finder} name {each.new}")


def _line_for(each: Carried) -> bytes | None:
    text = pth.decoded(_content(each.file))
    if text is None:
        return None
    lines = text.splitlines(keepends=True)
    return _bytes("".join(line.replace(each.old, each.new) if line.rstrip() == each.old else line for line in lines))


def _origin_for(each: Carried) -> bytes | None:
    """`direct_url.json` with the new address (PEP 610)."""
    try:
        told = json.loads(_content(each.file))
        told["url"] = Path(each.new).as_uri()
    except (ValueError, TypeError):
        return None
    return json.dumps(told).encode("utf-8")


def _records(plan: Draft, site: Path) -> dict[Path, bytes]:
    """RECORD rows follow, but for those of a file that was altered before: nobody is to take it for whole."""
    whole: dict[Path, bytes] = {}
    try:
        for folder in site.glob("*.dist-info"):
            for row in record.read(folder):
                path = record.place(site, row)
                if path in plan.changed and (path in plan.scripts or (row.checkable and row.agrees(_content(path)))):
                    whole[path] = plan.changed[path]
        return settle.corrected_records(site, whole)
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}


def apply(plan: Draft, records: Records, look: Callable[[], Facts], **found: Any) -> tuple[Receipt, Facts, str]:
    """Write, look again, start what was changed, and keep it if it holds; else put everything back.

    Returns the receipt, the facts after, and why it did not hold (empty if it did).
    """
    with records.transaction(NAME, plan.venv, files=len(plan.changed), **found) as change:
        for path, data in plan.changed.items():
            change.write(path, data)
        after = look()
        objection = unproved(after, plan.scripts, records.folder)
        return (change.put_back() if objection else change.commit()), after, objection
