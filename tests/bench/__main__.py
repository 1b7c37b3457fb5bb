"""`python -m tests.bench [--runs N] [NAME…]`: all scenes, or those whose name contains one of the words."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.bench import alive, main_job, packages, ways_out
from tests.bench.stage import staged

SCENES = (*main_job.SCENES, *alive.SCENES, *packages.SCENES, *ways_out.SCENES)


def main() -> None:
    """Run the scenes one after another; each shows its own rows."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(scene.__name__ for scene in SCENES))
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each figure; the median is shown")
    words = parser.parse_args()
    chosen = [scene for scene in SCENES if not words.names or any(name in scene.__name__ for name in words.names)]
    with tempfile.TemporaryDirectory(prefix="clinic-bench-") as name, staged(Path(name) / "stage", words.runs) as stage:
        for scene in chosen:
            scene(stage)


if __name__ == "__main__":
    main()
