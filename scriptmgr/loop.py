# SPDX-License-Identifier: ISC
"""Our descriptors in supervisord's loop, and the factory that supervisord calls for the plug-in."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from typing import Any

from supervisor.states import SupervisorStates

from skytools.core.errors import SkytoolsError
from skytools.scriptmgr.plugin import Plugin, Setup
from skytools.scriptmgr.rpc import SkytoolsInterface
from skytools.scriptmgr.update import Updater

log = logging.getLogger("scriptmgr")

# supervisord calls the factory with nothing but itself: what `run` prepared waits here.
_expected: list[Setup] = []


def expect(setup: Setup) -> None:
    """Keep what make_interface() needs."""
    _expected[:] = [setup]


class _Channel:
    """A descriptor of ours in supervisord's poll set."""

    def __init__(self, plugin: Plugin, fd: int) -> None:
        self.plugin = plugin
        self.fd = fd

    def readable(self) -> bool:
        """Be polled for reading."""
        return True

    def writable(self) -> bool:
        """Never write."""
        return False

    def handle_read_event(self) -> None:
        """Be woken: the next pass does the work."""

    def handle_error(self) -> None:
        """Note an error; supervisord would close a channel of its own."""
        self.plugin.counters.hook_errors += 1
        log.exception("unexpected error in the manager's loop")  # noqa: LOG004 - called in an except


class RelayChannel(_Channel):
    """The relay socket. supervisord asks readable() in each pass: that is the manager's timer."""

    def readable(self) -> bool:
        """Do what is due."""
        self.plugin.tick()
        return True


class SignalChannel(_Channel):
    """The wakeup descriptor: poll() itself is not cut short by signals."""

    def __init__(self, plugin: Plugin) -> None:
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        super().__init__(plugin, self._read.fileno())
        self._hup_came = False
        self._terminal = os.isatty(0)

    def install(self) -> None:
        """Take HUP away from supervisord, which would restart every job."""
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, self._hup)

    def _hup(self, _number: int, _frame: object) -> None:
        self._hup_came = True

    def take_hup(self) -> bool:
        """Tell whether HUP came since the last call."""
        came, self._hup_came = self._hup_came, False
        return came

    def lost_terminal(self) -> bool:
        """Tell whether the terminal we were started from is gone: then HUP means the end."""
        return self._terminal and not os.isatty(0)

    def handle_read_event(self) -> None:
        """Drain."""
        with contextlib.suppress(BlockingIOError):
            self._read.recv(4096)


class _SupervisorLog:
    """Passes supervisord's log lines on: what it calls warnings is everyday work to us."""

    level = 0

    def emit(self, record: Any) -> None:
        """Log one line of supervisord."""
        level = logging.ERROR if record.level >= 40 else logging.DEBUG
        if "without any HTTP authentication" in record.msg:
            level = logging.DEBUG  # the socket's mode protects it
        log.log(level, "supervisord: %s", record.msg)

    def close(self) -> None:
        """Nothing to close."""

    def reopen(self) -> None:
        """Nothing to reopen."""

    def remove(self) -> None:
        """Nothing to remove."""


def make_interface(supervisord: Any) -> SkytoolsInterface:
    """Put the plug-in into a supervisord that is about to run."""
    if not _expected:
        raise SkytoolsError("supervisord.conf of scriptmgr works under `scriptmgr run` only")
    setup = _expected.pop()
    plugin = Plugin(supervisord, setup)
    plugin.attach()
    updater = Updater(plugin)
    signals = SignalChannel(plugin)
    plugin.on_tick += [updater.poll, lambda _now: _hup(plugin, updater, signals)]
    plugin.on_running.append(signals.install)
    logger = supervisord.options.logger
    logger.handlers = [_SupervisorLog()]
    channels = supervisord.options.get_socket_map()
    for channel in (RelayChannel(plugin, setup.relay.fileno()), signals):
        channels[channel.fd] = channel
    return SkytoolsInterface(plugin, updater)


def _hup(plugin: Plugin, updater: Updater, signals: SignalChannel) -> None:
    """`update --reload`, told to systemd as a reload."""
    if not signals.take_hup():
        return
    if signals.lost_terminal():
        log.info("SIGHUP: the terminal is gone")
        plugin.options.mood = SupervisorStates.SHUTDOWN
        return
    log.info("SIGHUP: update --reload")
    systemd = plugin.setup.systemd
    systemd.reloading()
    try:
        updater.begin(lambda _plan: systemd.reloaded(), reload=True)
    except SkytoolsError as exc:
        updater.failed(str(exc))
        systemd.reloaded()
