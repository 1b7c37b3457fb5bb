"""What activation scripts remember, by the forms that the creators write (each copied from a real one)."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.anatomy import activate


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ('VIRTUAL_ENV="/srv/a b"\nexport VIRTUAL_ENV\n', "/srv/a b"),  # venv up to 3.11
        ('VIRTUAL_ENV="/srv/it\'s"\n', "/srv/it's"),
        ('    export VIRTUAL_ENV=$(cygpath "/srv/x")\n    export VIRTUAL_ENV="/srv/x"\n', "/srv/x"),  # 3.12
        ("        export VIRTUAL_ENV=/srv/x\n", "/srv/x"),  # 3.14, which quotes only where it must
        ("VIRTUAL_ENV='/srv/it'\"'\"'s'\n", "/srv/it's"),  # 3.14, virtualenv, uv
        ("VIRTUAL_ENV=\"$CURRENT_ENV\"\nVIRTUAL_ENV='/srv/x'\n", "/srv/x"),
        ('@echo off\r\nset "VIRTUAL_ENV=C:\\a b\\env"\r\n', "C:\\a b\\env"),
        ("@set VIRTUAL_ENV=C:\\a b\\env\r\n", "C:\\a b\\env"),
        ('VIRTUAL_ENV="$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)"\n', None),  # relocatable: computed
        ("deactivate () {\n    unset VIRTUAL_ENV\n}\n", None),
        ("", None),
    ],
)
def test_the_recorded_path(script: str, path: str | None) -> None:
    assert activate.recorded_path(script) == path


@pytest.mark.parametrize(
    ("script", "prompt"),
    [
        ('VIRTUAL_ENV="/srv/env"\n    PS1="(mine) ${PS1:-}"\n', "mine"),  # venv 3.8, 3.9
        ('VIRTUAL_ENV="/srv/env"\n    PS1="(env) ${PS1:-}"\n', None),
        ('VIRTUAL_ENV="/srv/env"\n    VIRTUAL_ENV_PROMPT="(my \'p") "\n', "my 'p\""),  # 3.10 to 3.12
        ('VIRTUAL_ENV="/srv/env"\nVIRTUAL_ENV_PROMPT="mine"\n', "mine"),  # 3.13
        ('VIRTUAL_ENV="/srv/env"\nVIRTUAL_ENV_PROMPT="env"\n', None),
        ("VIRTUAL_ENV=/srv/env\nVIRTUAL_ENV_PROMPT='it'\"'\"'s'\n", "it's"),  # 3.14, virtualenv
        ("VIRTUAL_ENV=/srv/env\nVIRTUAL_ENV_PROMPT=''\n    VIRTUAL_ENV_PROMPT=$(basename \"$VIRTUAL_ENV\")\n", None),
        ('VIRTUAL_ENV=/srv/env\nVIRTUAL_ENV_PROMPT="a \'b"c $x"\n', "a 'b\"c $x"),  # uv quotes nothing
        ("", None),
    ],
)
def test_the_prompt(script: str, prompt: str | None) -> None:
    assert activate.prompt(script) == prompt


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
def test_what_shlex_quotes_is_read_back(name: str) -> None:
    script = f"VIRTUAL_ENV={shlex.quote('/srv/' + name)}\n"
    if name == name.strip() and not name.startswith(("$", "`", "%")):
        assert activate.recorded_path(script) == "/srv/" + name


@given(st.text())
def test_any_script_is_read(script: str) -> None:
    activate.recorded_path(script)
    activate.prompt(script)
