"""Two wounds at once, of whatever kinds: `heal` cures both by no more than each of them asks for.

The wounds come from the registries: a new one is in the pairs as soon as it is there.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from clinic.checks import CHECKS
from clinic.flow.case import Wish
from clinic.flow.healing import heal
from clinic.flow.undoing import undo
from tests.real.creators import VENV, VIRTUALENV_COPIES, Creator, bases, uv
from tests.real.package_wounds import PACKAGE_WOUNDS, PackageWound
from tests.real.packed import PackedWard, looked, settings_around
from tests.real.patients import fingerprint
from tests.real.visits import codes, summary
from tests.real.wounds import WOUNDS, Wound

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]
EXAMPLES = 200 if os.environ.get("CLINIC_TEST_EVERYTHING") else 20
CURES = {check.code: check.cured_by for check in CHECKS}


@dataclass(frozen=True)
class Pair:
    """Two wounds, in the order in which they are inflicted: packages first, while there is a python to install by."""

    first: PackageWound
    second: PackageWound | Wound

    @property
    def codes(self) -> set[str]:
        """What names them."""
        return {self.first.code, self.second.code}

    @property
    def is_possible(self) -> bool:
        """Whether one of them leaves the other what it is."""
        if isinstance(self.second, Wound):
            return True
        apart = self.first.code != self.second.code and not self.first.of & self.second.of
        return apart and "rebuild" not in {self.first.cure, self.second.cure}

    def __repr__(self) -> str:
        return f"{self.first.name} and {self.second.name}"


packages = st.sampled_from(PACKAGE_WOUNDS)
PAIRS = st.one_of(
    st.builds(Pair, packages, st.sampled_from(WOUNDS)),
    st.builds(Pair, packages, packages),
).filter(lambda pair: pair.is_possible)


@given(pair=PAIRS, creator=st.sampled_from([VENV, VIRTUALENV_COPIES]))
@settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_two_wounds_are_cured_by_one_healing(packed: PackedWard, tmp_path: Path, pair: Pair, creator: Creator) -> None:
    base = bases()[-1]
    patient = packed.patient(creator, base)
    assume(not isinstance(pair.second, Wound) or not pair.second.spared(patient))
    told = settings_around(tmp_path, patient, packed.stock(base))
    pair.first.inflict(patient)
    pair.second.inflict(patient)
    wounded = fingerprint(patient.venv)
    seen = looked(told).findings
    assert {finding.code for finding in seen} <= pair.codes, "one of them is named by more than its code"

    wish = Wish(only=tuple(pair.codes), wheelhouse=str(packed.stock(base).folder))
    done = heal(told, None, wish)
    assert summary(done) == ("cured", 0), (pair, done)
    assert codes(looked(told)) == []
    used = [receipt.remedy for receipt in done.data["receipts"] if receipt.outcome == "done"]
    assert set(used) <= {CURES[code][0] for code in pair.codes}, "more was done than they ask for"
    for _ in used:
        assert undo(told, yes=True).exit_code == 0
    assert fingerprint(patient.venv) == wounded
