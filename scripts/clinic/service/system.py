"""The server with its monitor as the system's own supervisor knows it: a systemd user unit, a launchd agent, a task.

Each of them starts `keep-alive` at logon (systemd: at boot, for users who linger) and starts it again when it fails;
keep-alive does the rest. What is refused (2) or watched already (4) is not tried again: systemd is told these codes,
the others know only success and failure, so that `keep-alive --supervised` ends with 0 then. Only texts are made here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from clinic.service import memory

if TYPE_CHECKING:
    from clinic.settings import Settings

MARK = "Bridge Clinic"
SUPERVISED = "--supervised"
_ENDING = 15  # seconds beyond stop_timeout that the monitor gets to end
_OLD_ONE = 5.0  # seconds until launchd's old agent, which stops its server, is gone


@dataclass(frozen=True)
class Step:
    """A command for the supervisor.

    One that `may_fail` ends what may not be there; `again` is the seconds until one that failed is tried once more.
    """

    argv: tuple[str, ...]
    may_fail: bool = False
    again: float = 0.0


@dataclass(frozen=True)
class Unit:
    """What is registered.

    `reach` says whether the supervisor can be spoken to; the others are run in order, `after` once the file is removed.
    """

    supervisor: str
    name: str
    path: Path
    data: bytes
    reach: tuple[str, ...]
    enable: tuple[Step, ...]
    disable: tuple[Step, ...]
    after: tuple[Step, ...] = ()
    note: str = ""

    @property
    def text(self) -> str:
        """What the file says, to be shown."""
        return self.data.decode("utf-16" if self.data.startswith(b"\xff\xfe") else "utf-8")


@dataclass(frozen=True)
class Place:
    """Where and for whom: this machine's when not given."""

    platform: str = sys.platform
    home: Path = Path("~")
    user: str = ""
    uid: int = 0

    @classmethod
    def here(cls) -> Place:
        """Look at this machine."""
        user = "\\".join(filter(None, (os.environ.get("USERDOMAIN"), os.environ.get("USERNAME"))))
        return cls(sys.platform, Path.home(), user, os.getuid() if sys.platform != "win32" else 0)


def command(settings: Settings, suite: Path, python: Path) -> list[str]:
    """Return the command line that keeps this project's server alive; `suite` is this repository."""
    config = ["--config", str(settings.file)] if settings.file else []
    return [str(python), str(suite / "ai" / "server_manager.py"), "keep-alive", *config]


def unit(settings: Settings, argv: Sequence[str], place: Place | None = None) -> Unit:
    """Make the unit for the supervisor of a machine."""
    place = place or Place.here()
    name = f"bridge-clinic-{memory.place(settings, '').name}"
    if place.platform == "win32":
        return _task(settings, argv, name, place)
    if place.platform == "darwin":
        return _agent(settings, argv, name, place)
    return _systemd(settings, argv, name, place)


def _systemd(settings: Settings, argv: Sequence[str], name: str, place: Place) -> Unit:
    words = " ".join(map(_systemd_word, argv))
    text = f"""\
# Made by {MARK}: invoke production-mode --install. To take it back: invoke production-mode --uninstall
[Unit]
Description=The server of {_systemd_text(settings.root)}, kept alive by {MARK}

[Service]
Type=simple
WorkingDirectory={_systemd_text(settings.root)}
ExecStart={words}
# A monitor that was killed finds its server still there, and takes it.
KillMode=process
TimeoutStopSec={settings.service.stop_timeout + _ENDING:g}
Restart=on-failure
RestartSec=5
# Refused, or another monitor watches: starting again would change nothing.
RestartPreventExitStatus=2 4

[Install]
WantedBy=default.target
"""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or place.home / ".config")
    control = ("systemctl", "--user")
    return Unit(
        "systemd",
        name,
        base / "systemd" / "user" / f"{name}.service",
        text.encode(),
        (*control, "show-environment"),
        (Step((*control, "daemon-reload")), Step((*control, "enable", "--now", f"{name}.service"))),
        (Step((*control, "disable", "--now", f"{name}.service")),),
        (Step((*control, "daemon-reload")),),
        "to be there before anybody logs in: loginctl enable-linger",
    )


def _systemd_word(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{quoted}"'


def _systemd_text(path: Path) -> str:
    return str(path).replace("%", "%%")


def _agent(settings: Settings, argv: Sequence[str], name: str, place: Place) -> Unit:
    import plistlib

    # No ProcessType: "Background" would throttle CPU and I/O, of the server too.
    tree = {
        "Label": name,
        "ProgramArguments": [*argv, SUPERVISED],
        "WorkingDirectory": str(settings.root),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ExitTimeOut": int(settings.service.stop_timeout + _ENDING),
    }
    comment = f"<!-- Made by {MARK}, by its command production-mode. -->\n<plist".encode()
    path = place.home / "Library" / "LaunchAgents" / f"{name}.plist"
    domain = f"gui/{place.uid}"
    bootout = ("launchctl", "bootout", f"{domain}/{name}")
    return Unit(
        "launchd",
        name,
        path,
        plistlib.dumps(tree, sort_keys=False).replace(b"<plist", comment, 1),
        ("launchctl", "print", domain),
        # bootout returns before the old one is gone, and until then bootstrap fails.
        (Step(bootout, may_fail=True), Step(("launchctl", "bootstrap", domain, str(path)), again=_OLD_ONE)),
        (Step(bootout),),
    )


# Priority: 7, the default, is below normal and with low I/O, and the server inherits that.
# https://learn.microsoft.com/en-us/windows/win32/taskschd/tasksettings-priority
_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Made by {mark}: invoke production-mode --install</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <Hidden>true</Hidden>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>255</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def _task(settings: Settings, argv: Sequence[str], name: str, place: Place) -> Unit:
    texts = {
        "mark": MARK,
        "user": place.user,
        "command": _without_window(argv[0]),
        "arguments": " ".join(map(_windows_word, [*argv[1:], SUPERVISED])),
        "folder": str(settings.root),
    }
    path = memory.folder(settings) / f"{name}.xml"
    schtasks, title = "schtasks.exe", ("/TN", f"{MARK}\\{name}")
    end = Step((schtasks, "/End", *title), may_fail=True)  # a second /Run is ignored as long as the first one runs
    create = Step((schtasks, "/Create", *title, "/XML", str(path), "/F"))
    return Unit(
        "Task Scheduler",
        name,
        path,
        _TASK.format(**{key: escape(text) for key, text in texts.items()}).encode("utf-16"),
        (schtasks, "/Query", "/FO", "LIST"),
        (end, create, Step((schtasks, "/Run", *title))),
        (end, Step((schtasks, "/Delete", *title, "/F"))),
    )


def escape(text: str) -> str:
    """Return a text as XML holds it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_window(python: str) -> str:
    """Name the tools' interpreter that opens no window."""
    path = PureWindowsPath(python)
    return str(path.with_name("pythonw.exe")) if path.name.lower() == "python.exe" else python


def _windows_word(text: str) -> str:
    """Quote a word as the C runtime takes it apart; a path holds no quotes and ends in no backslash here."""
    return f'"{text}"' if not text or set(text) & set(" \t&()[]{}^=;!'+,`~") else text
