"""`nox -s faults [-- WORD ...]`: commands with one fault each, at sampled changes of the filesystem.

A word is the name of a verb or of a fault (`nox -s faults -- fix-cfg undo-rebuild kill`); without one all take part.
Every change of the filesystem that a command makes is a point: the command is killed there, or the change fails. Then
the environment has to be as it was before or as it is after, no sentence may be untrue, and the same command typed
again has to end well and leave nothing behind. --points, --seed and --seconds choose how many and which; each point
that is wrong is shown with the command that tries it alone (--at). `nox -s faults -- soak` is another trial: soak.py.
"""

from __future__ import annotations

import argparse
import collections
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults import soak
from tests.faults.campaign import Campaign, Outcome, Point
from tests.faults.injection import FAULTS, Fault, Injector, missing
from tests.faults.project import Stage
from tests.faults.verbs import VERBS, Verb


def main() -> int:
    """Run the campaign; 1 if a point is wrong."""
    if sys.argv[1:2] == ["soak"]:
        return soak.main(sys.argv[2:])
    given = _given()
    if reason := missing():
        _show(f"skipped: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="clinic-faults-") as name:
        stage = Stage(Path(name))
        stage.make()
        campaign = Campaign(stage, Injector(Path(name) / "faults", stage.world), children=given.children)
        verbs = [verb for verb in VERBS if not given.verbs or verb.name in given.verbs]
        faults = [fault for fault in FAULTS if not given.faults or fault.name in given.faults]
        if given.list:
            for verb in verbs:
                _list(campaign, verb, faults)
            return 0
        points = _chosen(campaign, verbs, faults, given)
        return _tried(campaign, points, given)


def _given() -> argparse.Namespace:
    names = {"verbs": [verb.name for verb in VERBS], "faults": [fault.name for fault in FAULTS]}
    cli = argparse.ArgumentParser(
        prog="nox -s faults --", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cli.add_argument("words", nargs="*", metavar="WORD", help=", ".join([*names["verbs"], *names["faults"]]))
    cli.add_argument("--points", type=int, default=300, help="how many points, drawn at random (300)")
    cli.add_argument("--seed", type=int, help="the same seed draws the same points")
    cli.add_argument("--seconds", type=float, default=3600.0, help="begin no point after that time")
    cli.add_argument("--at", type=int, help="the change with this number only")
    cli.add_argument("--list", action="store_true", help="show the changes, and try nothing")
    cli.add_argument("--children", action="store_true", help="the changes of uv, pip and the environment's python too")
    given = cli.parse_args()
    if unknown := set(given.words) - {name for group in names.values() for name in group}:
        cli.error(f"no verb and no fault: {', '.join(sorted(unknown))}")
    for group, known in names.items():
        setattr(given, group, [word for word in given.words if word in known])
    given.seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    return given


def _chosen(
    campaign: Campaign, verbs: Sequence[Verb], faults: Sequence[Fault], given: argparse.Namespace
) -> list[Point]:
    """Points of all verbs and faults in turn, until there are enough or no more."""
    draw = random.Random(given.seed)  # noqa: S311 - drawn again by its seed
    rows = []
    for verb in verbs:
        for fault in faults:
            numbers = campaign.points(verb, fault)
            draw.shuffle(numbers)
            rows.append([Point(verb, fault, at) for at in numbers if given.at in {None, at}])
    draw.shuffle(rows)
    turns = [row[turn] for turn in range(max(map(len, rows), default=0)) for row in rows if turn < len(row)]
    return turns[: given.points]


def _tried(campaign: Campaign, points: Sequence[Point], given: argparse.Namespace) -> int:
    _show(f"{len(points)} points, seed {given.seed}")
    began, found = time.monotonic(), list[Outcome]()
    for point in points:
        if time.monotonic() - began > given.seconds:
            _show(f"the time is up after {len(found)} points")
            break
        found.append(out := campaign.try_point(point))
        if out.wrong or given.at is not None:
            _tell(out, given)
    _table(found)
    return int(any(out.wrong for out in found))


def _tell(out: Outcome, given: argparse.Namespace) -> None:
    more = " --children" if given.children else ""
    _show(f"\nnox -s faults -- {out.point}{more}\n    {out.change}; environment: {out.state}")
    for each in out.wrong:
        _show(f"    WRONG {each}")
    _show(f"    exit code {out.faulted.code}: {out.faulted.text[-600:]}")
    _show(f"    then exit code {out.again.code}: {out.again.text[-600:]}")


def _table(found: Sequence[Outcome]) -> None:
    rows = collections.Counter((out.point.verb.name, out.point.fault.name) for out in found)
    right = collections.Counter((out.point.verb.name, out.point.fault.name) for out in found if not out.wrong)
    states = collections.Counter(out.state for out in found)
    _show(f"\n{'command':18}{'fault':14}{'points':>7}{'right':>7}{'wrong':>7}")
    for (verb, fault), count in sorted(rows.items()):
        good = right[verb, fault]
        _show(f"{verb:18}{fault:14}{count:7}{good:7}{count - good or '-':>7}")
    _show(f"{'all':32}{len(found):7}{right.total():7}{len(found) - right.total():7}")
    _show("environment at the fault: " + ", ".join(f"{state} {count}" for state, count in sorted(states.items())))


def _list(campaign: Campaign, verb: Verb, faults: Sequence[Fault]) -> None:
    for change in campaign.reference(verb).changes:
        names = " ".join(fault.name for fault in faults if fault.strikes(change))
        _show(f"{verb.name} {change.number:4} {str(change).replace(f'{campaign.stage.world}/', '')}  [{names}]")


def _show(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program for people


if __name__ == "__main__":
    sys.exit(main())
