"""The monitor: keeps one server up until it is asked to end. What it waits on are events, not the clock."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from clinic.errors import BusyError, FailedError, RefusedError
from clinic.service import identity, memory, reasons, revive
from clinic.service.backoff import Failures
from clinic.service.care import Scene, Trouble
from clinic.service.patience import Patience
from clinic.service.pulse import Pulse
from clinic.service.ward import Ward

if TYPE_CHECKING:
    from clinic.service.bell import Bell
    from clinic.service.care import Care, Herald, Look
    from clinic.service.guard import Post
    from clinic.settings import Settings

# A start that failed for one of these fails again until somebody does something.
_LASTING = frozenset({"port-taken", "port-forbidden", "app-missing"})
# These say that the environment is to blame: no need for more failures before it is looked at.
_ENVIRONMENT = frozenset({"cfg-error", "base-missing", "package-missing", "interpreter-broken", "cannot-start"})
_BUSY = 0.2  # seconds until another run may have let the lock go
_JUMP = 5.0  # seconds overslept that mean suspension; a machine under load oversleeps less


class Monitor:
    """Watches one server. `care` looks after its environment, `herald` tells what happens."""

    def __init__(self, settings: Settings, care: Care, bell: Bell, herald: Herald, post: Post) -> None:
        self._settings, self._care, self._bell, self._herald, self._post = settings, care, bell, herald, post
        self._failures = Failures(settings.keep_alive)
        self._why = ""
        self._healed_in_vain = False
        self._trouble: Trouble | None = None
        self.ward: Ward | None = None
        self.pulse: Pulse | None = None
        self.checks = 0
        self.restarts = 0

    def step(self) -> None:
        """Go on until something changes. Raises KeyboardInterrupt when asked to end in the middle of a start."""
        if self.ward and self.pulse:
            self._watch(self.ward, self.pulse)
        elif there := revive.running(self._settings):
            self._take(there)
        elif memory.recall(self._settings).wanted == "down":
            self._rest()
        else:
            self._bring_up()

    def leave(self) -> None:
        """Watch no more; the server lives on."""
        if self.ward:
            self.ward.leave()
            self.ward = None

    # While there is a server

    def _take(self, revived: revive.Revived) -> None:
        now = time.monotonic()
        self.ward = Ward(revived.record, revived.child, self._bell.ring)
        self.pulse = Pulse(self._settings, revived.record, self._bell.ring, now)
        if revived.answer:
            self.pulse.known_good(revived.answer, now)
        if revived.child is None:
            self._herald.event("adopted", f"watching process {self.ward.pid}, which runs already", pid=self.ward.pid)
        self._failures.forget()
        self._why, self._healed_in_vain, self._trouble = "", False, None
        self._post.say("watching")
        self._show("watching")

    def _watch(self, ward: Ward, pulse: Pulse) -> None:
        while not self._bell.asked:
            now = time.monotonic()
            late = self._bell.wait(pulse.due(now), ward.descriptor)
            if ward.ended():
                self._died(ward)
                return
            now = time.monotonic()
            if late > _JUMP:
                self._herald.event("overslept", f"nothing is counted: {late:.0f} s passed in sleep", seconds=late)
                pulse.afresh(now)
            before = pulse.count
            why = pulse.turn(now)
            if failed := pulse.news():
                self._herald.event("check-failed", failed)
            if pulse.count > before and revive.mend_pid_file(self._settings, ward.record):
                self._herald.event("pid-file", "the pid file did not name the server; it is written again")
            self._show("watching")
            if why and self._ended_hung(ward, pulse, why):
                return

    def _died(self, ward: Ward) -> None:
        code = ward.exit_code()
        how = f" ({reasons.exit_words(code)})" if code is not None else ""
        self._lose()
        known = memory.recall(self._settings)
        if known.wanted == "down":
            self._herald.event("stopped", "the server was stopped on request", pid=ward.pid)
            return
        if known.ended and known.ended == ward.record.launch:
            self._herald.event("ended", f"process {ward.pid} was ended by a command, for a restart", pid=ward.pid)
            return
        self._why = f"process {ward.pid} ended{how}"
        self._herald.event("died", self._why, pid=ward.pid, exit_code=code)
        self._failures.note_death()
        if self._failures.storm:
            self._pause(Trouble("dies-often", f"{self._why}, as others before it", "invoke logs"))

    def _ended_hung(self, ward: Ward, pulse: Pulse, why: str) -> bool:
        """End a server that hangs; False when that has to be tried again."""
        self._herald.event("hung", f"process {ward.pid} hangs: {why}", pid=ward.pid)
        try:
            ended = revive.end(self._settings, ward.record, answering=bool(pulse.answer and pulse.answer.reachable))
        except BusyError:  # a stop or a restart: theirs is the last word
            pulse.afresh(time.monotonic())
            return False
        except (RefusedError, PermissionError) as error:
            self._herald.event("cannot-end", f"process {ward.pid} cannot be ended: {error}", pid=ward.pid)
            pulse.afresh(time.monotonic())
            return False
        if ended.left:
            self._herald.event("cannot-end", f"process {ward.pid} lives on although it was killed", pid=ward.pid)
        ward.exit_code()
        self._lose()
        self._why = f"process {ward.pid} hung: {why}"
        return True

    def _lose(self) -> None:
        if self.pulse:
            self.checks += self.pulse.count
        self.leave()

    # While there is none

    def _bring_up(self) -> None:
        traces = self._care.traces()
        self._post.say("starting")
        self._show("starting")
        try:
            look = self._care.before_start()
            if not self._is_free(look, traces):
                return
            begun = time.monotonic()
            revived = revive.revive(self._settings, look.given, self._why, self._while_starting)
        except BusyError:
            self._bell.wait(_BUSY)
        except RefusedError as error:
            self._block(Trouble.of(error), traces)
        except FailedError as error:
            self._failed(error, traces)
        else:
            self._started(revived, time.monotonic() - begun)

    def _is_free(self, look: Look, traces: object) -> bool:
        self._tell_healed(look)
        if look.trouble:
            self._block(look.trouble, traces)
        return look.trouble is None

    def _tell_healed(self, look: Look) -> None:
        for what in look.healed:
            self._herald.event("healed", what)

    def _while_starting(self, _seconds: float) -> None:
        if self._bell.asked:
            raise KeyboardInterrupt

    def _started(self, revived: revive.Revived, seconds: float) -> None:
        pid, again = revived.record.server.pid, self._why
        for note in revived.notes:
            self._herald.event("note", note)
        if revived.child:
            self.restarts += bool(again)
            kind = "restarted" if again else "started"
            self._herald.event(kind, f"process {pid} answers after {seconds:.2f} s", pid=pid, seconds=round(seconds, 3))
        self._care.settled()
        self._take(revived)

    def _failed(self, error: FailedError, traces: object) -> None:
        if error.code == "stopped-meanwhile":
            return
        self._herald.event("start-failed", error.message, code=error.code)
        if error.code in _LASTING:
            self._block(Trouble.of(error), traces)
            return
        self._failures.note()
        looping = self._failures.looping
        if looping:
            self._herald.event("crash-loop", f"{self._failures.in_a_row} starts failed; looking for the cause")
        if (looping or error.code in _ENVIRONMENT) and self._diagnosed(traces):
            return
        if looping:
            self._failures.end_loop()
        self._pause(Trouble.of(error), long=looping)

    def _diagnosed(self, traces: object) -> bool:
        """Look closely; whether that changed anything, or found what has to be waited for."""
        look = self._care.diagnose()
        self._tell_healed(look)
        if look.trouble:
            self._block(look.trouble, traces)
            return True
        if look.healed and not self._healed_in_vain:
            self._healed_in_vain = True  # until a start succeeds
            self._failures.end_loop()
            return True
        return False

    # Waiting

    def _rest(self) -> None:
        self._herald.event("resting", "the server is not wanted: invoke start brings it back, Ctrl+C ends this")
        self._post.say("resting", "stopped on request", "invoke start")
        self._wait(Patience(self._settings, "resting", "stopped on request; invoke start brings it back"))

    def _pause(self, trouble: Trouble, *, long: bool = False) -> None:
        seconds = self._failures.long_delay() if long else self._failures.delay()
        patience = Patience(self._settings, "waiting", trouble.message, seconds, self._care)  # sees changes from now on
        self._herald.event("waiting", f"next try in {seconds:.0f} s", code=trouble.code, seconds=seconds)
        self._post.say("waiting", trouble.message, trouble.hint, seconds)
        self._wait(patience)

    def _block(self, trouble: Trouble, traces: object) -> None:
        lasting = trouble.code in _LASTING
        until = None if lasting else self._failures.long_delay()
        patience = Patience(self._settings, "blocked", trouble.message, until, self._care, traces)
        patience.for_port = trouble.code == "port-taken"
        # Told last: what somebody does about it from then on is a change, and status says what the event said.
        self._post.say("blocked", trouble.message, trouble.hint)
        if trouble != self._trouble:  # else it was told already
            self._herald.event("blocked", f"{trouble.message} To mend it: {trouble.hint}", code=trouble.code)
        self._trouble = trouble
        self._wait(patience)

    def _wait(self, patience: Patience) -> None:
        while not self._bell.asked and not patience.over():
            self._show(patience.phase, patience.message, patience.left())
            self._bell.wait(patience.turn())
        if patience.mended:
            self._herald.event("mended", "something was changed: trying again")

    def _show(self, phase: str, message: str = "", next_try: float | None = None) -> None:
        ward, pulse = self.ward, self.pulse
        scene = Scene(phase, restarts=self.restarts, message=message, next_try=next_try)
        if ward and pulse:
            up, age = identity.uptime(ward.record.server), time.monotonic() - pulse.answered
            scene = replace(scene, record=ward.record, uptime=up, answer=pulse.answer, age=age, strikes=pulse.strikes)
        self._herald.scene(scene)
