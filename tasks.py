"""The Invoke namespace: composes the runbook's tasks, defines none. `invoke --list` shows them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "scripts"))

from toolshed import entry

entry.prepare_invoke()

from invoke.collection import Collection

from clinic import runbook
from clinic.runbook import misuse

runbook.refuse_unreadable_settings()
namespace = Collection(*runbook.TASKS)
misuse.refuse_misuse(namespace)
