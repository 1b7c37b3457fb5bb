"""Run one verb of the manager in a process of its own: drive.py SCRIPTS PICKLED-SETTINGS VERB."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from clinic.errors import ClinicError
from clinic.service import manager


def main() -> int:
    """Do it, and say the state or the error's code."""
    settings = pickle.loads(Path(sys.argv[2]).read_bytes())  # noqa: S301 - written by the test itself
    here = (Path(sys.executable), Path(sys.prefix))
    try:
        status = manager.start(settings, *here) if sys.argv[3] == "start" else manager.stop(settings)
    except ClinicError as error:
        print(error.code, flush=True)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    print(status.state, flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
