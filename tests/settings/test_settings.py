"""Layers, validation and "did you mean"."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.errors import RefusedError
from clinic.settings import Settings, load


def loaded(tmp_path: Path, text: str = "", **variables: str) -> Settings:
    (tmp_path / "invoke.yaml").write_text(text, encoding="utf-8")
    return load(tmp_path, variables=variables)


def test_defaults_without_a_file(tmp_path: Path) -> None:
    settings = load(tmp_path, variables={})
    assert settings.service.url == "http://127.0.0.1:8000/health"
    assert settings.environment.path is None
    assert settings.environment.requirements == tmp_path / "requirements" / "bridge.txt"
    assert settings.service.argv(Path("py"), Path("v"), tmp_path)[-1] == "8000"
    assert settings.records == tmp_path / ".clinic"


def test_the_file_overrides_the_defaults_key_by_key(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "clinic: {service: {port: 9000, health: {timeout: 1}}}")
    assert (settings.service.port, settings.service.health.timeout, settings.service.host) == (9000, 1.0, "127.0.0.1")


def test_variables_override_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "clinic: {service: {port: 9000}}",
        INVOKE_CLINIC_SERVICE_PORT="9001",
        INVOKE_CLINIC_ENVIRONMENT_SYSTEM_SITE_PACKAGES="true",
        INVOKE_CLINIC_ENVIRONMENT_PATH="é env",
        INVOKE_OTHER="untouched",
    )
    assert settings.service.port == 9001
    assert settings.environment.system_site_packages is True
    assert settings.environment.path == tmp_path / "é env"


def test_a_file_named_by_a_flag_brings_its_own_folder(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "x.yaml").write_text("clinic: {service: {cwd: app}}", encoding="utf-8")
    assert load(tmp_path, other / "x.yaml", variables={}).service.cwd == other / "app"


@pytest.mark.parametrize("body", ["null", "ok", "{state: up, deep: {n: 1}}"])
def test_the_three_kinds_of_health_body(tmp_path: Path, body: str) -> None:
    settings = loaded(tmp_path, f"clinic: {{service: {{health: {{body: {body}}}}}}}")
    assert settings.service.health.body in (None, "ok", {"state": "up", "deep": {"n": 1}})


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("clinic: {servce: {}}", "settings-unknown-key", "service"),
        ("clinic: {service: {health: {statsu: 200}}}", "settings-unknown-key", "status"),
        ("clinic: {keep_alive: {intervall: 1}}", "settings-unknown-key", "interval"),
        ("clinic: {service: 1}", "settings-type", "clinic.service"),
        ("clinic: {service: {port: 0}}", "settings-type", "clinic.service.port"),
        ("clinic: {service: {port: true}}", "settings-type", "clinic.service.port"),
        ("clinic: {service: {port: 70000}}", "settings-type", "clinic.service.port"),
        ("clinic: {service: {start_timeout: soon}}", "settings-type", "start_timeout"),
        ("clinic: {service: {start_timeout: .inf}}", "settings-type", "start_timeout"),
        ("clinic: {service: {command: []}}", "settings-type", "command"),
        ("clinic: {service: {command: 'a b'}}", "settings-type", "command"),
        ("clinic: {service: {command: ['{prt}']}}", "settings-command", "{port}"),
        ("clinic: {service: {command: ['{']}}", "settings-command", "{{ }}"),
        ("clinic: {environment: {imports: [1]}}", "settings-type", "imports"),
        ("clinic: {environment: {system_site_packages: maybe}}", "settings-type", "system_site_packages"),
        ("clinic: {environment: {path: ''}}", "settings-type", "environment.path"),
        ("clinic: {environment: {path: '~nobody-here/x'}}", "settings-type", "environment.path"),
        ("clinic: {records: 3}", "settings-type", "clinic.records"),
        ("clinic: [a]", "settings-type", "clinic"),
        ("clinic: {a: [}", "settings-not-yaml", "correct"),
    ],
)
def test_refusals_name_the_place_and_the_way_out(tmp_path: Path, text: str, code: str, hint: str) -> None:
    with pytest.raises(RefusedError) as caught:
        loaded(tmp_path, text)
    assert caught.value.code == code
    assert hint in caught.value.hint + caught.value.message


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "invoke.yaml").write_bytes("clinic: {}".encode("utf-16"))
    with pytest.raises(RefusedError) as caught:
        load(tmp_path, variables={})
    assert caught.value.code == "settings-unreadable"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("INVOKE_CLINIC_SERVICE_PROT", "1", "settings-unknown-variable"),
        ("INVOKE_CLINIC_SERVICE_COMMAND", "[a]", "settings-variable-type"),
        ("INVOKE_CLINIC_SERVICE_PORT", "[", "settings-type"),
        ("INVOKE_CLINIC_SERVICE_PORT", "no", "settings-type"),
        ("INVOKE_CLINIC_KEEP_ALIVE_FAILURES", "0", "settings-type"),
    ],
)
def test_bad_variables(tmp_path: Path, name: str, value: str, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        loaded(tmp_path, "", **{name: value})
    assert caught.value.code == code
    assert name in caught.value.message
