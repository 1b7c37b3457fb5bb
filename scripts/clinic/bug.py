"""What to say when the suite itself is at fault: a short report that can be pasted into an issue."""

from __future__ import annotations

import platform
import sys
import traceback

from clinic.errors import ClinicError


def as_error(command: str, error: Exception) -> ClinicError:
    """The error as a report: where it happened, and on what."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    trail = "\n".join(f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames)
    about = f"Python {platform.python_version()} on {sys.platform}"
    message = f"A bug in the suite, in 'invoke {command}' ({about}):\n{trail}\n  {type(error).__name__}: {error}"
    return ClinicError("bug", message, "paste this report into an issue")
