"""A healthy project whose service boots in a tenth of a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ways.project import Project, end, make


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    mine = make(tmp_path / "pröject 'with' blänks 🌉")
    yield mine
    end(mine)
