"""start, stop, restart, status and logs as commands: what they refuse, and what they say."""

from __future__ import annotations

import json
import socket
import sys
import venv as creator
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import ClinicError, RefusedError
from clinic.service import memory
from clinic.settings import Settings, load

APP = """
import http.server, json, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "healthy", "more": [1]}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
print("ready \\U0001f680", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
"""


@pytest.fixture
def project(tmp_path: Path, free_port: int) -> Settings:
    """A service that is a script, in an environment with nothing in it."""
    root = tmp_path / "a b é"
    root.mkdir()
    (root / "app.py").write_text(APP, encoding="utf-8")
    creator.create(root / "env", with_pip=False, symlinks=sys.platform != "win32")
    tree = {
        "environment": {"path": "env", "imports": []},
        "service": {
            "command": ["{python}", "app.py", "{port}"],
            "cwd": ".",
            "port": free_port,
            "pid_file": "s.pid",
            "log_file": "s.log",
            "start_timeout": 20,
        },
    }
    (root / "x.yaml").write_text(json.dumps({"clinic": tree}), encoding="utf-8")
    return load(root, root / "x.yaml", {})


def test_the_whole_life(project: Settings) -> None:
    assert flow.start_server(project, dry_run=True).outcome == "planned"
    assert not project.service.log_file.exists()
    started = flow.start_server(project)
    try:
        assert (started.outcome, started.exit_code, started.data["state"]) == ("healthy", 0, "running")
        assert flow.start_server(project).outcome == "unchanged"
        assert flow.start_server(project, project.root / "env").outcome == "unchanged"
        with memory.locked(project, ".lock", "restart"):
            assert flow.start_server(project).exit_code == 0, "what runs needs no turn"
        memory.keep(project, wanted="down")  # as an interrupted stop leaves it
        assert flow.start_server(project).outcome == "unchanged"
        assert memory.recall(project).wanted == "up"
        creator.create(project.root / "other", with_pip=False, symlinks=sys.platform != "win32")
        for command in (flow.start_server, flow.keep_alive):
            with pytest.raises(RefusedError, match="runs already, from") as caught:
                command(project, project.root / "other")
            assert caught.value.code == "other-environment"
        told = flow.server_status(project)
        assert told.exit_code == 0
        assert told.data["pid"] == started.data["pid"]
        again = flow.restart_server(project)
        assert again.data["pid"] != started.data["pid"]
        assert flow.stop_server(project, dry_run=True).data["plan"]
        assert "ready \U0001f680" in flow.logs(project, lines=5, follow=False, write=print).data["lines"]
    finally:
        stopped = flow.stop_server(project)
    assert stopped.data["state"] == "stopped"
    assert flow.stop_server(project).outcome == "unchanged"
    assert flow.server_status(project).exit_code == 1
    assert not project.service.pid_file.exists()


def test_no_start_from_an_environment_that_lost_its_cfg(project: Settings) -> None:
    (project.root / "env" / "pyvenv.cfg").unlink()
    for command in (flow.start_server, flow.restart_server):
        with pytest.raises(RefusedError) as caught:
            command(project)
        assert (caught.value.code, caught.value.hint) == ("cfg-missing", "invoke fix-cfg")
    assert not project.service.log_file.exists()


@pytest.mark.parametrize("command", [flow.start_server, flow.restart_server])
def test_a_dry_run_is_refused_as_the_run_would_be(project: Settings, command: Callable[..., object]) -> None:
    with socket.create_server((project.service.host, project.service.port)):
        for dry_run in (True, False):
            with pytest.raises(RefusedError) as caught:
                command(project, dry_run=dry_run)
            assert caught.value.code == "port-taken"
    project.service.pid_file.mkdir()
    with pytest.raises(RefusedError, match="names something else"):
        command(project, dry_run=True)


def test_a_start_that_dies_of_the_application_says_why(project: Settings) -> None:
    (project.root / "app.py").write_text("import nothing_of_this_name", encoding="utf-8")
    with pytest.raises(ClinicError) as caught:
        flow.start_server(project)
    assert "nothing_of_this_name" in caught.value.message
    assert caught.value.exit_code == 1


def test_logs_refuse_what_is_not_there(project: Settings) -> None:
    with pytest.raises(RefusedError, match="not been started"):
        flow.logs(project, lines=5, follow=False, write=print)
    with pytest.raises(RefusedError, match="0 or more"):
        flow.logs(project, lines=-1, follow=False, write=print)
    memory.keep(project, launch="abc")
    with pytest.raises(RefusedError, match="moved or deleted, clinic") as caught:
        flow.logs(project, lines=5, follow=False, write=print)
    assert (caught.value.code, caught.value.exit_code, caught.value.hint) == ("no-log", 2, "invoke restart")
    project.service.log_file.mkdir()
    for follow in (False, True):
        with pytest.raises(RefusedError, match="cannot be read: it is a folder") as caught:
            flow.logs(project, lines=5, follow=follow, write=print)
        assert (caught.value.code, caught.value.exit_code) == ("log-not-readable", 2)
    assert "cannot be read" in flow.server_status(project).data["log_tail"][0]
