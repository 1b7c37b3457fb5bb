"""What the person's files say of a target is left out, all else they say stays."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from toolshed import pip_settings, uv_settings

if TYPE_CHECKING:
    from tests.toolshed.workbench import Clone


@pytest.mark.parametrize("which", ["seeded", "clone"], ids=["by pip", "by uv"])
def test_the_tools_go_where_they_belong(which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    clone: Clone = request.getfixturevalue(which)
    target, pip = tmp_path / "target", tmp_path / "pip.conf"
    pip.write_text(f"[global]\ntarget = {target}\nuser = true\n", encoding="utf-8")
    config = tmp_path / "config" / "uv" / "uv.toml"
    config.parent.mkdir(parents=True)
    house = f"no-index = true\nfind-links = [{str(clone.wheels)!r}]"
    config.write_text(f"[pip]\n{house}\ntarget = {str(target)!r}\nsystem = true\n", encoding="utf-8")
    clone.env |= dict.fromkeys(("XDG_CONFIG_HOME", "APPDATA"), str(tmp_path / "config"))
    done = clone.run("run", "first", PIP_CONFIG_FILE=str(pip))
    assert done.returncode == 0, done.stderr
    assert not target.exists()


FIRST = """
native-tls = true
[[index]]
name = "a \\"b\\" é"
url = "https://user:p%40ss@one/simple"
[pip]
target = "/x"
system = true
python = "/y"
find-links = ["/w1"]
"""
SECOND = """
native-tls = false
[[index]]
url = "https://two/simple"
default = true
[pip]
prefix = "/z"
find-links = ["/w2"]
no-binary = ["c"]
"""


def test_files_are_merged_as_uv_does_and_spelled_again() -> None:
    told = [tomllib.loads(FIRST), tomllib.loads(SECOND)]
    again = tomllib.loads(uv_settings.spelled(uv_settings.harmless(told)))
    assert again == {
        "native-tls": True,
        "index": [
            {"name": 'a "b" é', "url": "https://user:p%40ss@one/simple"},
            {"url": "https://two/simple", "default": True},
        ],
        "pip": {"find-links": ["/w1", "/w2"], "no-binary": ["c"]},
    }


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's uv.toml, which is not there yet, in a world without others."""
    for name in ("UV_CONFIG_FILE", "UV_NO_CONFIG", "APPDATA", "PROGRAMDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))
    (tmp_path / "mine" / "uv").mkdir(parents=True)
    (tmp_path / "machine" / "uv").mkdir(parents=True)
    return tmp_path / "mine" / "uv" / "uv.toml"


def test_a_harmless_file_is_used_as_it_is(config: Path) -> None:
    config.write_text("[pip]\nno-index = true\n", encoding="utf-8")
    with uv_settings.neutral() as told:
        assert told == {"UV_CONFIG_FILE": str(config)}


@pytest.mark.usefixtures("config")
def test_without_any_file_uv_does_not_look_into_the_folder_it_runs_in() -> None:
    if Path("/etc/uv/uv.toml").exists():
        pytest.skip("this machine has a uv.toml for everybody")
    with uv_settings.neutral() as told:
        assert told == {"UV_NO_CONFIG": "1"}


def test_a_file_that_leads_elsewhere_is_used_without_that(config: Path, tmp_path: Path) -> None:
    config.write_text(FIRST, encoding="utf-8")
    (tmp_path / "machine" / "uv" / "uv.toml").write_text(SECOND, encoding="utf-8")
    with uv_settings.neutral() as told:
        file = Path(told["UV_CONFIG_FILE"])
        assert tomllib.loads(file.read_text("utf-8"))["pip"]["find-links"] == ["/w1", "/w2"]
    assert not file.exists()


def test_a_file_that_is_no_toml_is_left_to_uv(config: Path) -> None:
    config.write_text("[pip\n", encoding="utf-8")
    with uv_settings.neutral() as told:
        assert told == {}


def test_what_pip_was_told_less_the_target() -> None:
    told = {"target": "/x", "user": "true", "index-url": "https://a", "extra-index-url": "https://b https://c"}
    said = pip_settings.neutral(told)
    assert said.pop("PIP_CONFIG_FILE")
    assert said == {"PIP_INDEX_URL": "https://a", "PIP_EXTRA_INDEX_URL": "https://b https://c"}
