"""From the merged tree to typed settings; each refusal names the setting by its full path."""

from __future__ import annotations

import difflib
import os
import string
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from clinic.errors import RefusedError
from clinic.settings.layers import VARIABLE_PREFIX, wrong_type
from clinic.settings.shape import Environment, Health, KeepAlive, Service, Settings

PLACEHOLDERS = frozenset({"python", "host", "port", "venv", "root"})


class _Reader:
    """Takes typed values out of the merged tree; each refusal names the setting by its full path."""

    def __init__(self, tree: Mapping[str, Any], source: str, root: Path, variables: Collection[str]) -> None:
        self.tree, self.source, self.root, self.variables = tree, source, root, variables

    def get(self, path: str) -> Any:
        value: Any = self.tree
        for key in path.split("."):
            value = value[key]
        return value

    def checked(self, path: str, wanted: str, accept: Callable[[Any], bool]) -> Any:
        value = self.get(path)
        if not accept(value):
            raise self.wrong(path, wanted, value)
        return value

    def wrong(self, path: str, wanted: str, value: object) -> RefusedError:
        """The refusal, which blames the variable where it was a variable that said so."""
        variable = VARIABLE_PREFIX + path.replace(".", "_").upper()
        if variable in self.variables:
            return wrong_type("the environment", variable, wanted, value)
        return wrong_type(self.source, f"clinic.{path}", wanted, value)

    def text(self, path: str) -> str:
        return str(self.checked(path, "a text that is not empty", lambda v: isinstance(v, str) and bool(v.strip())))

    def file(self, path: str) -> Path:
        text = self.checked(
            path, "a path", lambda value: isinstance(value, str) and bool(value.strip()) and "\0" not in value
        )
        try:
            return self.root / Path(text).expanduser()
        except RuntimeError as error:  # ~name of nobody
            raise self.wrong(path, "a path", text) from error

    def folder(self, text: str) -> Path:
        """A folder whose files are trusted. Raises RefusedError for a relative one."""
        folder = Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for ~nobody
        if not folder.is_absolute():
            raise self.wrong("environment.trust", "a list of absolute paths", [text])
        return folder.resolve()

    def texts(self, path: str, *, empty: bool = False) -> tuple[str, ...]:
        wanted = "a list of texts" if empty else "a list of texts that is not empty"
        return tuple(self.checked(path, wanted, lambda value: _are_texts(value) and (empty or bool(value))))

    def seconds(self, path: str, *, least: float = 0.0) -> float:
        more = f" of at least {least:g}" if least else ""
        return float(
            self.checked(
                path,
                f"a number of seconds{more}",
                lambda value: _is_number(value, (int, float)) and least <= value < float("inf"),
            )
        )

    def count(self, path: str, least: int, most: int) -> int:
        wanted = f"a whole number from {least} to {most}"
        return int(self.checked(path, wanted, lambda value: _is_number(value, int) and least <= value <= most))


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) and entry for entry in value)


def _is_number(value: object, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def build(tree: Mapping[str, Any], root: Path, file: Path | None, variables: Collection[str]) -> Settings:
    """The typed settings of a merged tree, over which these variables were laid. Raises RefusedError."""
    take = _Reader(tree, str(file) if file else "settings", root, variables)
    path = take.text("environment.path")
    return Settings(
        root=root,
        file=file,
        environment=Environment(
            path=None if path == "auto" else take.file("environment.path"),
            python=take.texts("environment.python"),
            requirements=take.file("environment.requirements"),
            imports=take.texts("environment.imports", empty=True),
            system_site_packages=take.checked(
                "environment.system_site_packages",
                "auto, true or false",
                lambda v: v == "auto" or isinstance(v, bool),
            ),
            trust=tuple(take.folder(each) for each in take.texts("environment.trust", empty=True)),
        ),
        service=_service(take),
        keep_alive=KeepAlive(
            interval=take.seconds("keep_alive.interval", least=0.05),
            failures=take.count("keep_alive.failures", 1, 1000),
            backoff_first=take.seconds("keep_alive.backoff_first"),
            backoff_limit=take.seconds("keep_alive.backoff_limit"),
            crash_loop_starts=take.count("keep_alive.crash_loop_starts", 1, 1000),
            crash_loop_window=take.seconds("keep_alive.crash_loop_window"),
        ),
        records=take.file("records"),
    )


def _service(take: _Reader) -> Service:
    def is_body(value: Any) -> bool:
        return value is None or isinstance(value, str) or (isinstance(value, dict) and all(map(_is_text, value)))

    def is_variables(value: Any) -> bool:
        return isinstance(value, dict) and all(
            _is_text(k) and isinstance(v, (str, int, float)) for k, v in value.items()
        )

    command = take.texts("service.command")
    _check_placeholders(take, command)
    health_path = take.text("service.health.path")
    variables = take.checked("service.variables", "a mapping of names to texts", is_variables)
    return Service(
        command=command,
        cwd=take.file("service.cwd"),
        host=take.text("service.host"),
        port=take.count("service.port", 1, 65535),
        health=Health(
            path=health_path if health_path.startswith("/") else "/" + health_path,
            status=take.count("service.health.status", 100, 599),
            body=take.checked("service.health.body", "a mapping, a text or null", is_body),
            timeout=take.seconds("service.health.timeout", least=0.01),
        ),
        start_timeout=take.seconds("service.start_timeout", least=0.1),
        stop_timeout=take.seconds("service.stop_timeout"),
        pid_file=take.file("service.pid_file"),
        log_file=take.file("service.log_file"),
        variables={key: _variable(value) for key, value in variables.items()},
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _variable(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_placeholders(take: _Reader, command: tuple[str, ...]) -> None:
    for part in command:
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(part) if name is not None}
        except ValueError as error:
            raise RefusedError(
                "settings-command",
                f"{take.source}: clinic.service.command: {part!r}: {error}.",
                "write a literal brace twice: {{ }}",
            ) from error
        for name in names - PLACEHOLDERS:
            near = difflib.get_close_matches(name, PLACEHOLDERS, 1, 0.5)
            raise RefusedError(
                "settings-command",
                f"{take.source}: clinic.service.command: unknown placeholder {{{name}}}.",
                f"did you mean {{{near[0]}}}?" if near else "known: {python} {host} {port} {venv} {root}",
            )
