"""One check: every way to be unwell has its own name, and nothing outlasts the time limit."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from clinic.service import health
from clinic.service.health import Expected
from clinic.settings import Service

Talk = Callable[[socket.socket], None]


@pytest.fixture
def serving(project: Any) -> Iterator[Callable[[Talk], Service]]:
    """Serve one talk on a free port: whatever it sends is the answer."""
    listeners: list[socket.socket] = []

    def serve(talk: Talk, **wanted: Any) -> Service:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        service: Service = project(health={"timeout": 0.5, **wanted}, port=listener.getsockname()[1]).service
        threading.Thread(target=accept, args=(listener, talk), daemon=True).start()
        return service

    def accept(listener: socket.socket, talk: Talk) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    talk(connection)
                except OSError:
                    continue

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def answer(body: str, status: int = 200, *headers: str) -> Talk:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Word", *headers, "Content-Type: x"))
    data = f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
    return lambda connection: connection.sendall(data)


GOOD = '{"status": "healthy"}'
CASES: dict[str, tuple[Talk, str]] = {
    "healthy": (answer(GOOD), "healthy"),
    "more keys": (answer('{"more": [1, {"a": null}], "status": "healthy", "emoji": "🌉"}'), "healthy"),
    "wrong value": (answer('{"status": "sick"}'), "wrong-body"),
    "key missing": (answer("{}"), "wrong-body"),
    "list": (answer('["status"]'), "wrong-body"),
    "page": (answer("<html>hello</html>"), "not-json"),
    "empty": (answer(""), "not-json"),
    "deep": (answer("[" * 100_000), "not-json"),
    "500": (answer(GOOD, 500), "wrong-status"),
    "404": (answer("gone", 404), "wrong-status"),
    "redirect": (answer("", 307, "Location: /health/"), "wrong-status"),
    "no http": (lambda c: c.sendall(b"220 mail ready\r\n"), "not-http"),
    "closed": (lambda c: c.shutdown(socket.SHUT_RDWR), "refused"),
    "silent": (lambda _c: time.sleep(1), "timeout"),
}


@pytest.mark.parametrize(("talk", "kind"), CASES.values(), ids=CASES.keys())
def test_every_answer_has_its_name(serving: Any, talk: Talk, kind: str) -> None:
    begun = time.monotonic()
    found = health.check(serving(talk))
    assert (found.kind, found.healthy) == (kind, kind == "healthy")
    assert found.reason
    assert found.reachable == (found.status is not None)
    assert time.monotonic() - begun < 0.9
    assert 0 < found.latency < 0.9


def raw(*lines: bytes, body: bytes = b"") -> Talk:
    head = b"".join(line + b"\r\n" for line in (b"HTTP/1.1 200 OK", *lines))
    return lambda connection: connection.sendall(head + b"\r\n" + body)


_LENGTH, _CHUNKED = b"Content-Length: 21", b"Transfer-Encoding: chunked"
ODD: dict[str, tuple[Talk, set[str]]] = {
    "pid of 5,000 digits": (raw(_LENGTH, b"X-Bridge-Pid: " + b"9" * 5000, body=GOOD.encode()), {"healthy"}),
    "negative pid": (raw(_LENGTH, b"X-Bridge-Pid: -5", body=GOOD.encode()), {"healthy"}),
    "pid in other digits": (raw(_LENGTH, "X-Bridge-Pid: ³٣".encode(), body=GOOD.encode()), {"healthy"}),
    "two pids": (raw(_LENGTH, b"X-Bridge-Pid: 12", b"X-Bridge-Pid: 13", body=GOOD.encode()), {"healthy"}),
    "launch id of 60 KB": (raw(_LENGTH, b"X-Bridge-Launch: " + b"f" * 60_000, body=GOOD.encode()), {"healthy"}),
    "length of 5,000 digits": (raw(b"Content-Length: " + b"9" * 5000, body=GOOD.encode()), {"healthy"}),
    "negative length": (raw(b"Content-Length: -1", body=GOOD.encode()), {"healthy"}),
    "no chunk size": (raw(_CHUNKED, body=b"zz\r\n" + GOOD.encode()), {"not-http"}),
    "endless chunk size": (raw(_CHUNKED, body=b"f" * 5000 + b"\r\n" + GOOD.encode()), {"not-http", "not-json"}),
    "negative chunk size": (raw(_CHUNKED, body=b"-5\r\n" + GOOD.encode()), {"not-http", "not-json", "healthy"}),
    "another charset": (raw(body='{"status": "healthy"}'.encode("utf-16")), {"not-json"}),
    "surrogates": (raw(body=b'{"status": "\\ud800\xff\xfe"}'), {"wrong-body"}),
    "NaN": (raw(body=b"NaN"), {"wrong-body"}),
    "number of 5,000 digits": (raw(body=b"9" * 5000), {"not-json", "wrong-body"}),
    "deep objects": (raw(body=b'{"status":' * 100_000), {"not-json"}),
    "a thousand headers": (raw(*(b"A: b" for _ in range(1000)), body=GOOD.encode()), {"not-http"}),
    "header of 100 KB": (raw(b"A: " + b"b" * 100_000, body=GOOD.encode()), {"not-http"}),
    "NULs": (lambda c: c.sendall(b"\0" * 5000), {"not-http"}),
    "status of 400 digits": (lambda c: c.sendall(b"HTTP/1.1 " + b"2" * 400 + b" OK\r\n\r\n"), {"not-http"}),
    "100 without end": (lambda c: c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 500), {"not-http", "refused"}),
}


@pytest.mark.parametrize(("talk", "kinds"), ODD.values(), ids=ODD.keys())
def test_no_answer_is_an_error_of_ours(serving: Any, talk: Talk, kinds: set[str]) -> None:
    found = health.check(serving(talk, timeout=5.0))
    assert found.kind in kinds, found
    assert len(json.dumps(found.as_json())) < 2000
    assert found.pid is None


def test_a_header_that_is_sent_twice_is_one_unless_its_values_differ(serving: Any) -> None:
    twice = serving(answer(GOOD, 200, "X-Bridge-Launch: abc", "X-Bridge-Launch: abc", "X-Bridge-Pid: 12"))
    assert health.check(twice, Expected("abc")).healthy
    assert health.check(twice).pid == 12
    both = serving(answer(GOOD, 200, "X-Bridge-Launch: abc", "X-Bridge-Launch: def"))
    assert health.check(both, Expected("abc")).kind == "foreign"


def test_whatever_goes_wrong_in_a_check_is_its_answer(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(socket, "create_connection", broken)
    assert "can't start new thread" in health.check(project().service).reason


def test_nobody_listens(project: Any) -> None:
    service = project().service
    found = health.check(service)
    assert (found.kind, found.reachable) == ("refused", False)
    assert str(service.port) in found.reason


def drip(text: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        for letter in text:
            connection.sendall(bytes([letter]))
            time.sleep(0.05)

    return talk


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], ids=["head", "body"])
def test_an_answer_in_drips_does_not_outlast_the_limit(serving: Any, head: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        drip(b"HTTP/1.1 200 OK\r\n" + b"x" * 100)(connection)

    begun = time.monotonic()
    assert health.check(serving(talk)).kind == "timeout"
    assert time.monotonic() - begun < 1


def test_only_a_megabyte_is_read(serving: Any) -> None:
    huge = '{"status": "healthy", "more": "' + "x" * (3 << 20) + '"}'
    found = health.check(serving(answer(huge), timeout=3.0))
    assert found.kind == "not-json"
    assert "first 1 MB" in found.reason


def test_a_larger_json_is_fine(serving: Any) -> None:
    body = '{"more": "' + "x" * (500 << 10) + '", "status": "healthy"}'
    assert health.check(serving(answer(body), timeout=3.0)).healthy


def test_nested_pairs_are_compared_at_every_depth() -> None:
    told = {"a": {"b": {"c": 1, "d": 2}, "e": [1, 2]}, "f": True, "g": None}
    contained: tuple[Any, ...] = ({}, {"a": {}}, {"a": {"b": {"c": 1}}}, {"f": True, "g": None}, {"a": {"e": [1, 2]}})
    for wanted in contained:
        assert health.contains(told, wanted), wanted
    missing: tuple[Any, ...] = (
        {"a": {"b": {"c": 2}}},
        {"f": 1},
        {"a": {"e": [1]}},
        {"h": None},
        {"a": {"b": {"c": True}}},
    )
    for wanted in missing:
        assert not health.contains(told, wanted), wanted


def test_a_text_may_be_expected_or_nothing(serving: Any) -> None:
    assert health.check(serving(answer("I am fine, grüße"), body="grüße")).healthy
    assert health.check(serving(answer("I am fine"), body="ill")).kind == "wrong-body"
    assert health.check(serving(answer(""), body=None)).healthy
    assert health.check(serving(answer("teapot", 418), body=None, status=418)).healthy


LAUNCH, PID = "X-Bridge-Launch: abc", "X-Bridge-Pid: 42"


def test_the_headers_say_who_answered(serving: Any) -> None:
    service = serving(answer(GOOD, 200, LAUNCH, PID))
    found = health.check(service, Expected("abc", signed=True))
    assert (found.kind, found.launch, found.pid) == ("healthy", "abc", 42)
    assert health.check(service, Expected("xyz")).kind == "foreign"


def test_a_good_answer_without_our_signature_is_a_strangers_once_ours_is_known_to_sign(serving: Any) -> None:
    service = serving(answer(GOOD))
    assert health.check(service, Expected("abc", signed=False)).healthy
    assert health.check(service, Expected("abc", signed=True)).kind == "foreign"
    error_page = serving(answer("oops", 500))
    assert health.check(error_page, Expected("abc", signed=True)).kind == "wrong-status"


def test_a_strange_pid_header_is_no_pid(serving: Any) -> None:
    assert health.check(serving(answer(GOOD, 200, "X-Bridge-Pid: 4²"))).pid is None


def test_proxies_of_the_environment_are_not_asked(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert health.check(serving(answer(GOOD))).healthy


def test_a_server_bound_everywhere_is_asked_on_the_loopback(serving: Any) -> None:
    service = serving(answer(GOOD))
    assert health.check(replace(service, host="0.0.0.0")).healthy  # noqa: S104 - asked, not bound


def test_a_thousand_checks_leave_nothing_behind(serving: Any) -> None:
    service = serving(answer(GOOD))
    health.check(service)
    before = threading.active_count()
    for _ in range(300):
        assert health.check(service).healthy
    deadline = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
