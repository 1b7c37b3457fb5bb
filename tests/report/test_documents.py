"""What the documents promise is what the code does: settings, examples, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clinic.settings import DEFAULTS, load

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def leaves(tree: object, path: str = "") -> list[str]:
    """Return the dotted path of every setting; a mapping of the user's own counts as one."""
    if not isinstance(tree, dict) or not tree or path.endswith((".body", ".variables")):
        return [path]
    return [leaf for key, each in tree.items() for leaf in leaves(each, f"{path}.{key}".lstrip("."))]


@pytest.mark.parametrize("leaf", leaves(DEFAULTS))
def test_every_setting_is_in_the_readme(leaf: str) -> None:
    table = text("README.md").partition("## Settings")[2].partition("\n## ")[0]
    words = re.findall(r"`([a-z_.]+)`", table)
    assert leaf in words or leaf.rpartition(".")[2] in words


def test_the_example_of_another_project_is_accepted(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", text("README.md"), re.DOTALL)
    file = tmp_path / "other.yaml"
    file.write_text(example, encoding="utf-8")
    settings = load(tmp_path, file, {})
    assert settings.service.port == 9000
    assert settings.service.cwd == tmp_path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    places = [link for link in re.findall(r"\]\(([^)#]+)\)", text(name)) if not link.startswith("http")]
    assert [place for place in places if not (ROOT / place).exists()] == []
