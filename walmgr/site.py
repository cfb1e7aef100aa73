# SPDX-License-Identifier: ISC
"""What one ini describes: a primary, its standby, the archive and the sets, as seen from here."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from skytools.core.cli import Output
from skytools.core.db import Database, merge_conninfo
from skytools.core.errors import ConfigError, SkytoolsError, TransientError
from skytools.walmgr import postgres
from skytools.walmgr.config import SERVICE, WalmgrConfig
from skytools.walmgr.files import is_locked, locked
from skytools.walmgr.postgres import Programs, Server
from skytools.walmgr.remote import Host
from skytools.walmgr.sets import BackupSet, list_sets
from skytools.walmgr.store import Archive


class Site:
    """The parts of a configuration, connected when they are first used."""

    def __init__(self, cfg: WalmgrConfig, ini: Path, program: str, out: Output) -> None:
        self.cfg = cfg
        self.ini = ini
        self.program = program
        self.out = out
        self.here = Host()
        self.primary_host = Host(cfg.master_host, cfg.ssh)
        self.archive = Archive(str(cfg.completed), cfg.archive_compression)
        self._primary: Database | None = None
        self._standby: Database | None = None

    def need(self, key: str) -> str:
        """Return a key's text that the verb cannot do without. Raises ConfigError."""
        value = getattr(self.cfg, key)
        if not value:
            raise ConfigError.single(str(self.ini), SERVICE, key, "must be set for this")
        return str(value)

    @property
    def standby_data(self) -> Path:
        """The standby's data folder. Raises ConfigError when the ini names none."""
        return Path(self.need("slave_data"))

    def primary(self) -> Database:
        """Return the connection to the primary (autocommit). Raises ConfigError."""
        if not self.cfg.primary:
            self.need("master_db")
        if self._primary is None:
            self._primary = self.connect("master_db", self.cfg.primary)
        return self._primary

    def standby(self) -> Database | None:
        """Return the connection to the standby (autocommit), None when no server runs there."""
        if self.cfg.slave_data is None:
            return None
        address = postgres.address_of(self.cfg.slave_data)
        if address is None:
            return None
        if self._standby is None:
            base = self.cfg.primary or "dbname=postgres"
            self._standby = self.connect("standby", merge_conninfo(base, **address))
        return self._standby

    def answering_standby(self) -> Database | None:
        """Return the connection to the standby if the server answers."""
        database = self.standby()
        try:
            if database is not None:
                database.connect()
        except TransientError:
            return None
        return database

    def connect(self, name: str, conninfo: str) -> Database:
        """Make a connection; autocommit, and quick to give up."""
        conninfo = merge_conninfo(conninfo, connect_timeout="5")
        return Database(name, conninfo, autocommit=True, application_name="walmgr")

    def primary_answers(self) -> Server | None:
        """Return what the primary says of itself, None when it does not answer."""
        try:
            return postgres.ask_server(self.primary())
        except TransientError:
            return None

    def programs(self, major: int) -> Programs:
        """Return PostgreSQL's programs on this machine. Raises UsageError."""
        return postgres.find_programs(self.here, self.cfg.slave_bin, major)

    def primary_programs(self, major: int) -> Programs:
        """Return PostgreSQL's programs on the primary's host. Raises UsageError."""
        return postgres.find_programs(self.primary_host, self.cfg.master_bin, major)

    def sets(self) -> list[BackupSet]:
        """Return the backup sets, oldest first."""
        return list_sets(self.cfg.sets, running=is_locked(self._backup_lock))

    def backup_lock(self) -> AbstractContextManager[None]:
        """Hold the lock under which sets are made and removed. Raises RefusedError."""
        return locked(self._backup_lock, "a backup or restore")

    @property
    def _backup_lock(self) -> Path:
        return self.cfg.walmgr_data / ".backup.lock"

    def say(self, text: str) -> None:
        """Tell what is done; JSON has standard output for itself."""
        if self.out.as_json:
            sys.stderr.write(text + "\n")
        else:
            self.out.line(text)

    def require_folders(self) -> None:
        """Raise SkytoolsError unless the folders are there; never made in passing."""
        for path in (self.cfg.walmgr_data, self.cfg.completed):
            if not path.is_dir():
                raise SkytoolsError(f"folder {path} is missing: is it mounted? `pair` makes it")

    def close(self) -> None:
        """Close connections."""
        for database in (self._primary, self._standby):
            if database is not None:
                database.close()
