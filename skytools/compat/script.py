# SPDX-License-Identifier: ISC
"""BaseScript: the life of a script of Skytools 3. Source: skytools.scripting."""

from __future__ import annotations

import argparse
import logging
import optparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NoReturn

import skytools
from skytools.compat import loop, scriptlog, skylog, switches, template
from skytools.compat.config import Config, ConfigError
from skytools.compat.runtime import Runtime, number
from skytools.core.arguments import overrides_of
from skytools.core.cli import failure_of
from skytools.core.errors import SkytoolsError, UsageError
from skytools.core.pidfile import PidFile, background, send_signal


def daemonize() -> None:
    """Fork once, leave the terminal; the parent ends with 0."""
    background(None)


def refuse(service_name: str, exc: Exception) -> NoReturn:
    """End the process with 1 and a line for each fault."""
    for line in str(exc).splitlines():
        sys.stderr.write(f"{service_name}: {line}\n")
    sys.exit(1)


class BaseScript:
    """A program with an ini, a log, a pidfile and a loop around work().

    Config template::

        # how many seconds to sleep between work loops;
        # 0: end when there is nothing to do, negative: end after one loop
        loop_delay = 1.0

        # where to log
        logfile = ~/log/%(job_name)s.log

        # where to write the pid; -d, -s, -k and -r need it
        pidfile = ~/pid/%(job_name)s.pid

        # name of the job in logs; default: the name of the ini
        #job_name =

        # longest pause after an error, in seconds; it grows from one second
        #exception_sleep = 20

        # 1: log as skylog.ini says, unless on a terminal; 2: always
        #use_skylog = 0
        #skylog_locations = skylog.ini, ~/.skylog.ini, /etc/skylog.ini
    """

    ARGPARSE: ClassVar[bool] = False
    service_name: str = "unset"
    job_name: str
    cf: Config
    cf_defaults: dict[str, str] = {}  # noqa: RUF012 - scripts override it as they like
    log: Any = skylog.getLogger("skytools.BaseScript")
    pidfile: str = ""
    loop_delay: float = 1.0
    looping: int = 1
    work_state: int = 1
    started: float = 0
    last_sigint: float = 0
    last_func_fail: float | None = None
    _pidlock: PidFile | None = None
    _runtime: Runtime | None = None

    def __init__(self, service_name: str, args: Sequence[str]) -> None:
        self.service_name = service_name
        self.go_daemon = 0
        self.need_reload = 0
        self.exception_count = 0
        self.stat_dict: dict[str, Any] = {}
        self._increased: dict[str, float] = {}
        self.log_level = logging.INFO
        self.options, self.args = self.parse_args(args)
        if self.options.version:
            self.print_version()
            sys.exit(0)
        try:
            self.cf_override = overrides_of(self.options.set or ())
            self._begin()
        except (SkytoolsError, ConfigError, ValueError) as exc:
            refuse(service_name, exc)

    def _begin(self) -> None:
        if self.options.ini:
            self.print_ini()
            sys.exit(0)
        if self.options.daemon:
            self.go_daemon = 1
        if self.options.quiet:
            self.log_level = logging.WARNING
        elif self.options.verbose:
            self.log_level = logging.DEBUG if self.options.verbose == 1 else skylog.TRACE
        if not self.args:
            raise UsageError("need config file, use --help for help.")
        self.reload()
        if self.options.cmd:
            self.send_signal(switches.SIGNALS[self.options.cmd])
            sys.exit(0)

    # command line and ini

    def parse_args(self, args: Sequence[str]) -> tuple[Any, list[str]]:
        """Return (options, positional arguments)."""
        if self.ARGPARSE:
            options = self.init_argparse().parse_args(list(args))
            return options, list(options.args)
        return self.init_optparse().parse_args(list(args))

    def init_optparse(self, parser: optparse.OptionParser | None = None) -> optparse.OptionParser:
        """Return the parser; override it to declare switches of your own."""
        p = parser or optparse.OptionParser()
        p.set_usage("%prog [options] INI")
        switches.add_optparse(p)
        return p

    def init_argparse(
        self, parser: argparse.ArgumentParser | None = None
    ) -> argparse.ArgumentParser:
        """Return the parser of scripts with ARGPARSE = True."""
        p = parser or argparse.ArgumentParser()
        switches.add_argparse(p)
        return p

    def print_version(self) -> None:
        """Print the version line."""
        version = getattr(self, "__version__", None)
        own = f", version {version}" if version else ""
        sys.stdout.write(f"{self.service_name}{own}, Skytools version {skytools.__version__}\n")

    def print_ini(self) -> None:
        """Print a sample ini."""
        sys.stdout.write(template.render(type(self), self.service_name, self.cf_override))

    def load_config(self) -> Config:
        """Return the settings; override it to take them from elsewhere."""
        return Config(
            self.service_name,
            self.args[0],
            user_defs=self.cf_defaults,
            override=self.cf_override,
        )

    def reload(self) -> None:
        """Read the ini, at first and on HUP. Override it to read keys of your own."""
        if hasattr(self, "cf"):
            self.cf.reload()
        else:
            self.cf = self.load_config()
        cf = self.cf
        self.job_name = cf.get("job_name")
        self.pidfile = cf.getfile("pidfile", "")
        self.loop_delay = cf.getfloat("loop_delay", self.loop_delay)
        self.exception_sleep = cf.getfloat("exception_sleep", 20)
        self.exception_quiet = cf.getlist("exception_quiet", [])
        self.exception_grace = cf.getfloat("exception_grace", 5 * 60)
        self.exception_reset = cf.getfloat("exception_reset", 15 * 60)
        daemonised = bool(self.go_daemon and self.started)
        scriptlog.setup(
            cf, self.service_name, self.job_name, self.log_level, console=not daemonised
        )
        self.log = skylog.getLogger("skytools")

    # signals and the process

    def send_signal(self, sig: int) -> None:
        """Signal the running process, found by its pidfile."""
        if not self.pidfile:
            self.log.warning("No pidfile in config, nothing to do")
        elif not Path(self.pidfile).is_file():
            self.log.warning("No pidfile, process not running")
        elif not send_signal(Path(self.pidfile), sig):
            self.log.warning("pidfile exists, but process not running")

    def hook_sighup(self, sig: int, frame: FrameType | None) -> None:
        """Note that the ini is to be read again."""
        self.need_reload = 1

    def hook_sigint(self, sig: int, frame: FrameType | None) -> None:
        """Ask to stop after the current work; a second signal within a second ends at once."""
        self.stop()
        self.last_sigint = time.time()

    def stop(self) -> None:
        """Stop after the current work."""
        self.looping = 0

    def set_single_loop(self, do_single_loop: int) -> None:
        """End after this loop, or do not."""
        self.looping = 0 if do_single_loop else 1

    def start(self) -> None:
        """Take the pidfile, go to the background when asked to, and run."""
        try:
            if self.pidfile:
                self._pidlock = PidFile(Path(self.pidfile))
                self._pidlock.acquire()
            elif self.go_daemon:
                raise UsageError("Daemon needs pidfile")
            if self.go_daemon and self._pidlock:
                scriptlog.setup(
                    self.cf, self.service_name, self.job_name, self.log_level, console=False
                )
                background(self._pidlock)
        except SkytoolsError as exc:
            self.log.error("%s", exc)
            sys.exit(1)
        try:
            self.run()
        finally:
            if self._pidlock:
                self._pidlock.release()

    def run(self) -> None:
        """Start up, loop, shut down."""
        self.started = time.time()
        runtime = self._runtime = self.make_runtime()
        runtime.install(self.hook_sigint, self.hook_sighup)
        try:
            self.run_func_safely(self.startup)
            loop.loop(self, runtime)
            self.run_func_safely(self.shutdown)
        finally:
            runtime.close()
            self.reset()

    def make_runtime(self) -> Runtime:
        """Return what the process has in common with our own daemons."""
        return Runtime(self.cf.getfile("metrics_socket", ""), self.exception_sleep)

    def run_once(self) -> int:
        """Do one round of work: 1 more to do, 0 idle, -1 failed."""
        state = self.run_func_safely(self.work, True)
        if state >= 0:
            self.send_stats()
            if self._runtime:
                self._runtime.worked()
        return state

    def run_func_safely(self, func: Callable[[], Any], prefer_looping: bool = False) -> int:
        """Call a function and look after its errors: 1 or 0 as it says, -1 failed.

        Ends the process with 1 on errors that another try cannot mend, and outside the loop.
        """
        results: list[Any] = []
        try:
            failure = failure_of(lambda: results.append(func()))
        except (SystemExit, KeyboardInterrupt) as exc:
            self.send_stats()
            self.reset()
            if isinstance(exc, SystemExit):
                raise
            sys.exit(1)
        if isinstance(failure, UsageError):
            self.log.error("%s", failure)
            sys.exit(1)
        if isinstance(failure, MemoryError):
            self.log.critical("Job %s out of memory, exiting: %s", self.job_name, failure)
            sys.exit(1)
        if failure is not None:
            return self._failed(failure, prefer_looping)
        if self.last_func_fail and time.time() > self.last_func_fail + self.exception_reset:
            self.last_func_fail = None
            self.exception_count = 0
        return 1 if results[0] else 0

    def _failed(self, exc: Exception, prefer_looping: bool) -> int:
        text = str(exc).strip() or type(exc).__name__
        self.send_stats()
        self.exception_count += 1
        if self.last_func_fail is None:
            self.last_func_fail = time.time()
        if self._runtime:
            self._runtime.failed(text.splitlines()[0])
        if loop.is_quiet(self, exc):
            self.log.warning("%s: %s", type(exc).__name__, text)
        else:
            self.exception_hook(exc, text)
        self.reset()
        stopping = self._runtime is not None and self._runtime.signals.stop
        if stopping and prefer_looping:
            return -1
        if not (self.looping and prefer_looping) or self.loop_delay < 0:
            sys.exit(1)
        self.sleep_on_exception()
        return -1

    # for scripts to override, or to call

    def work(self) -> Any:
        """Do one round of work; true when there is more to do at once."""
        raise AssertionError(f"{type(self).__name__} must define work()")

    def startup(self) -> None:
        """Prepare, once, in the process that runs."""

    def shutdown(self) -> None:
        """Clean up at the end."""

    def reset(self) -> None:
        """Let go of what may be broken after an error."""

    def exception_hook(self, det: Exception, emsg: str) -> None:
        """Log an error of work()."""
        known = isinstance(det, SkytoolsError)  # its text says all
        self.log.error("Job %s crashed: %s", self.job_name, emsg, exc_info=None if known else det)

    def sleep_on_exception(self) -> None:
        """Pause after an error: a second, then more and more, up to exception_sleep."""
        runtime = self._runtime
        self.sleep(runtime.backoff.next() if runtime else self.exception_sleep)

    def sleep(self, secs: float) -> None:
        """Sleep; a signal ends it."""
        if self._runtime:
            self._runtime.wait(secs)
        else:
            time.sleep(max(secs, 0))

    def stat_get(self, key: str) -> Any:
        """Return a stat of this round, None when it is not set."""
        return self.stat_dict.get(key)

    def stat_put(self, key: str, value: Any) -> None:
        """Set a stat of this round."""
        self.stat_dict[key] = value
        self._increased.pop(key, None)

    def stat_increase(self, key: str, increase: float = 1) -> None:
        """Add to a stat of this round."""
        self.stat_dict[key] = self.stat_dict.get(key, 0) + increase
        self._increased[key] = self._increased.get(key, 0) + increase

    stat_add = stat_put
    stat_inc = stat_increase

    def send_stats(self) -> None:
        """Log the stats of this round, export them as metrics, begin anew."""
        if not self.stat_dict:
            return
        self.log.info("{%s}", ", ".join(f"{key}: {value}" for key, value in self.stat_dict.items()))
        if self._runtime:
            numbers = {key: number(value) for key, value in self.stat_dict.items()}
            put = {k: n for k, n in numbers.items() if n is not None and k not in self._increased}
            self._runtime.count(put, self._increased)
        self.stat_dict = {}
        self._increased = {}
