# SPDX-License-Identifier: ISC
"""DBScript: a script with named connections. Source: skytools.scripting of Skytools 3."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from skytools.compat import retcode
from skytools.compat.connections import Cached, open_cached
from skytools.compat.psycopgwrapper import Connection, DBError
from skytools.compat.script import BaseScript
from skytools.core.errors import UsageError

# Statements longer than this are cut in the log.
LONG_SQL = 200
CUT_SQL = 60


class DBScript(BaseScript):
    """A script that works with databases.

    Config template::

        # connect anew after this many seconds, between two loops; 0: never
        #connection_lifetime = 1200

        # retrying of execute_with_retry(): after a, a + b, a + 2b ... cap seconds
        #sql_retry = 0
        #sql_retry_max_count = 10
        #sql_retry_max_time = 300
        #sql_retry_formula_a = 1
        #sql_retry_formula_b = 5
        #sql_retry_formula_cap = 60
    """

    def __init__(self, service_name: str, args: Sequence[str]) -> None:
        self.db_cache: dict[str, Cached] = {}
        self._db_defaults: dict[str, dict[str, Any]] = {}
        self._channels: dict[str, list[str]] = {}
        super().__init__(service_name, args)

    # connections

    def connection_hook(self, dbname: str, conn: Connection) -> None:
        """Prepare a new connection; for scripts to override."""

    def set_database_defaults(self, dbname: str, **kwargs: Any) -> None:
        """Set what get_database() of that name does where it is not told otherwise."""
        self._db_defaults.setdefault(dbname, {}).update(kwargs)

    def add_connect_string_profile(self, connstr: str, profile: str | None) -> str:
        """Append the key `<profile>_extra_connstr` to a connect string."""
        extra = self.cf.get(f"{profile}_extra_connstr", "") if profile else ""
        return f"{connstr} {extra}" if extra else connstr

    def get_database(  # noqa: PLR0917 - as scripts call it
        self,
        dbname: str,
        autocommit: int | None = None,
        isolation_level: int | None = None,
        cache: str | None = None,
        connstr: str | None = None,
        profile: str | None = None,
    ) -> Connection:
        """Return the connection of that name, the same one until it is closed.

        The connect string is the key `dbname` of the ini, or `connstr`: when that changes, the
        connection is opened anew. Raises psycopg2.Error, and UsageError when a cached
        connection has another isolation level.
        """
        given: dict[str, Any] = {
            "autocommit": autocommit,
            "isolation_level": isolation_level,
            "profile": profile,
            "connstr": connstr,
        }
        wanted = dict(self._db_defaults.get(dbname, {}))
        wanted.update({key: value for key, value in given.items() if value is not None})
        name = cache or dbname
        cached = self.db_cache.get(name)
        target = wanted.get("connstr") or self.cf.get(dbname, "")
        if target:
            target = self.add_connect_string_profile(target, wanted.get("profile"))
        elif cached is not None:
            target = cached.connstr  # was given when it was opened
        else:
            target = self.cf.get(dbname)  # raises
        if cached is not None and (cached.connstr != target or cached.conn.closed):
            self.close_database(name)
            cached = None
        if cached is None:
            cached = self.db_cache[name] = open_cached(name, target, wanted, self.job_name)
            self._prepare(dbname, name, cached)
        cached.require_level(wanted)
        return cached.conn

    def _prepare(self, dbname: str, name: str, cached: Cached) -> None:
        try:
            self.connection_hook(dbname, cached.conn)
            for channel in self._channels.get(name, ()):
                cached.listen(channel)
        except BaseException:
            self.close_database(name)
            raise

    def close_database(self, dbname: str) -> None:
        """Drop a cached connection."""
        cached = self.db_cache.pop(dbname, None)
        if cached is not None:
            cached.close()

    def reset(self) -> None:
        """Drop all connections."""
        for name in list(self.db_cache):
            self.close_database(name)
        super().reset()

    def run_once(self) -> int:
        """Do one round of work; connections that are too old are dropped before."""
        lifetime = self.cf.getfloat("connection_lifetime", 20 * 60)
        for name, cached in list(self.db_cache.items()):
            if 0 < lifetime < cached.age:
                self.close_database(name)
        return super().run_once()

    # notifications

    def listen(self, dbname: str, channel: str) -> None:
        """Have sleep() end when something is notified on the channel; committed at once."""
        channels = self._channels.setdefault(dbname, [])
        if channel not in channels:
            channels.append(channel)
            if dbname in self.db_cache:
                self.db_cache[dbname].listen(channel)
        self.get_database(dbname)

    def unlisten(self, dbname: str, channel: str = "*") -> None:
        """Stop listening on a channel, or on all of a connection."""
        channels = self._channels.get(dbname, [])
        gone = list(channels) if channel == "*" else [channel]
        self._channels[dbname] = [name for name in channels if name not in gone]
        if dbname in self.db_cache:
            self.db_cache[dbname].unlisten(channel)

    def sleep(self, secs: float) -> None:
        """Sleep; a signal, or a notification on a channel of listen(), ends it."""
        listening = [self.db_cache[name] for name, channels in self._channels.items()
                     if channels and name in self.db_cache]  # fmt: skip
        alive = [cached for cached in listening if not cached.conn.closed]
        if not alive or self._runtime is None:
            super().sleep(secs)
        elif not any([cached.notified() for cached in alive]):
            self._runtime.wait(secs, [cached.conn for cached in alive])
            for cached in alive:
                cached.notified()

    # statements

    def exec_cmd(  # noqa: PLR0917 - as scripts call it
        self,
        db_or_curs: Any,
        q: str,
        args: Any,
        commit: bool = True,
        quiet: bool = False,
        prefix: str | None = None,
    ) -> list[Any]:
        """Run a function that returns ret_code and ret_note; log the notes, return the rows.

        Given a connection, it commits. A code of 400 and above rolls back and ends the process
        with 1 (with -v it raises).
        """
        return self._exec_many(db_or_curs, q, [args], commit, quiet, prefix)

    def exec_cmd_many(  # noqa: PLR0917 - as scripts call it
        self,
        db_or_curs: Any,
        sql: str,
        baseargs: Sequence[Any],
        extra_list: Sequence[Any],
        commit: bool = True,
        quiet: bool = False,
        prefix: str | None = None,
    ) -> list[Any]:
        """Run exec_cmd() for each extra argument, all in one transaction."""
        every = [[*baseargs, extra] for extra in extra_list]
        return self._exec_many(db_or_curs, sql, every, commit, quiet, prefix)

    def _exec_many(  # noqa: PLR0917 - one for both of the above
        self,
        db_or_curs: Any,
        sql: str,
        every: Sequence[Any],
        commit: bool,
        quiet: bool,
        prefix: str | None,
    ) -> list[Any]:
        is_db = hasattr(db_or_curs, "cursor")
        curs = db_or_curs.cursor() if is_db else db_or_curs
        good = True
        rows: list[Any] = []
        for args in every:
            self.log.debug("%s: %s %s", prefix or "exec_cmd", sql, args)
            curs.execute(sql, args)
            found = curs.fetchall()
            rows += found
            good = retcode.report(self.log, found, quiet, prefix) and good
        if not good:
            (db_or_curs if is_db else curs.connection).rollback()
            if self.options.verbose:
                raise RuntimeError("the database refused a command, see above")
            sys.exit(1)
        if is_db and commit:
            db_or_curs.commit()
        return rows

    def execute_with_retry(
        self,
        dbname: str,
        stmt: str,
        args: Sequence[Any] | Mapping[str, Any],
        exceptions: Sequence[type[Exception]] | None = None,
    ) -> tuple[int, Any]:
        """Run a statement in autocommit, connecting anew after some errors.

        Returns (how often it was repeated, cursor). `exceptions` None: the database's. The
        keys sql_retry* say whether, how often and after how long.
        """
        retries = retcode.Retries(self.cf)
        caught = tuple(exceptions) if exceptions is not None else (DBError,)
        while True:
            try:
                db = self.get_database(dbname, autocommit=1)
                if not db.autocommit:
                    raise UsageError(f"execute_with_retry: {dbname} must be in autocommit")
                curs = db.cursor()
                curs.execute(stmt, args)
            except caught as exc:
                delay = retries.next()
                if delay is None or (self._runtime and self._runtime.signals.stop):
                    raise
                self.log.info("%s: %s, again in %g s", dbname, str(exc).strip(), delay)
                self.close_database(dbname)
                self.sleep(delay)
            else:
                return retries.count, curs

    def exception_hook(self, det: Exception, emsg: str) -> None:
        """Log an error of work(), with connection and statement when it was a database's."""
        curs = getattr(det, "cursor", None)
        if not isinstance(det, DBError) or curs is None:
            super().exception_hook(det, emsg)
            return
        name = next((n for n, c in self.db_cache.items() if c.conn is curs.connection), "?")
        query = getattr(curs, "query", None) or b""
        sql = query.decode("utf-8", "replace")
        if len(sql) > LONG_SQL:
            sql = sql[:CUT_SQL] + " [...]"
        self.log.error(
            "Job %s got error on connection '%s': %s.   Query: %s",
            self.job_name,
            name,
            emsg,
            sql,
            exc_info=det,
        )
