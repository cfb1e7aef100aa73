# SPDX-License-Identifier: ISC
"""What one ini describes: a primary, its standby, the archive and the sets, as seen from here."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from skytools.core.cli import Output
from skytools.core.db import Database, complete_conninfo, merge_conninfo
from skytools.core.errors import ConfigError, SkytoolsError, TransientError
from skytools.walmgr import postgres
from skytools.walmgr.config import SERVICE, WalmgrConfig
from skytools.walmgr.errors import RefusedError
from skytools.walmgr.files import is_locked, locked, read_json, write_json
from skytools.walmgr.node import MASTER, SLAVE, Node, nodes
from skytools.walmgr.postgres import Programs, Server
from skytools.walmgr.remote import Host
from skytools.walmgr.sets import BackupSet, list_sets
from skytools.walmgr.store import Archive

DEAD_PEER = {
    "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}  # fmt: skip


class Site:
    """The parts of a configuration, connected when they are first used."""

    def __init__(self, cfg: WalmgrConfig, ini: Path, program: str, out: Output) -> None:
        self.cfg = cfg
        self.ini = ini
        self.program = program
        self.out = out
        self.quiet = False
        self.here = Host()
        self.nodes = nodes(cfg)
        self.archive = Archive(str(cfg.completed), cfg.archive_compression)
        self._databases: dict[str, Database] = {}

    def need(self, key: str) -> str:
        """Return a key's text that the verb cannot do without. Raises ConfigError."""
        value = getattr(self.cfg, key)
        if not value:
            raise ConfigError.single(str(self.ini), SERVICE, key, "must be set for this")
        return str(value)

    # who is who

    @property
    def leader(self) -> Node:
        """The server that is written to."""
        return self.nodes[SLAVE if self._roles().get("leader") == SLAVE else MASTER]

    @property
    def follower(self) -> Node:
        """The standby."""
        return self.nodes[MASTER if self.leader.name == SLAVE else SLAVE]

    def lead(self, node: Node) -> None:
        """Remember who leads from now on."""
        write_json(self._roles_path, {"leader": node.name})
        self.close()

    def _roles(self) -> dict[str, object]:
        facts = read_json(self._roles_path)
        if not facts and self._roles_path.exists():
            raise SkytoolsError(
                f"{self._roles_path} is damaged: write into it who is the primary, "
                '{"leader": "master"} or {"leader": "slave"}'
            )
        return facts

    @property
    def _roles_path(self) -> Path:
        return self.cfg.home / "roles.json"

    def primary(self) -> Database:
        """Return the connection to the leader (autocommit). Raises ConfigError, TransientError."""
        found = self._database(self.leader)
        if found is None and self.leader.name == MASTER:
            self.need("master_db")
        if found is None:
            raise TransientError(f"no server runs on {self.leader.data}")
        return found

    def standby(self) -> Database | None:
        """Return the connection to the standby (autocommit), None when no server runs there."""
        return self._database(self.follower)

    def _database(self, node: Node) -> Database | None:
        conninfo = node.conninfo
        if not conninfo:
            return None
        known = self._databases.get(node.name)
        if known is None:
            known = self._databases[node.name] = self.connect(node.name, conninfo)
        return known

    def stream_conninfo(self, purpose: str) -> str:
        """Return how to stream from the leader. Raises TransientError when it has no address."""
        leader = self.leader
        conninfo = self.cfg.stream if leader.name == MASTER else leader.conninfo
        if not conninfo:
            raise TransientError(f"no server runs on {leader.data}")
        # A peer that is gone without a word is noticed within half a minute.
        conninfo = complete_conninfo(conninfo, **DEAD_PEER)
        return merge_conninfo(conninfo, application_name=f"walmgr_{purpose}")

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
        """Return what the leader says of itself, None when it does not answer."""
        try:
            return postgres.ask_server(self.primary())
        except TransientError:
            return None

    def programs(self, major: int) -> Programs:
        """Return PostgreSQL's programs on this machine. Raises UsageError."""
        return self.nodes[SLAVE].programs(major)

    def sets(self) -> list[BackupSet]:
        """Return the backup sets, oldest first."""
        return list_sets(self.cfg.sets, running=is_locked(self._backup_lock))

    def backup_lock(self) -> AbstractContextManager[None]:
        """Hold the lock under which sets are made and removed. Raises RefusedError."""
        if self.old_lock.exists():
            pid = self.old_lock.read_text(errors="replace").strip() or "unknown"
            raise RefusedError(
                f"walmgr3 makes a backup (process {pid}); `xrelease` says it does not"
            )
        return locked(self._backup_lock, "a backup or restore")

    @property
    def old_lock(self) -> Path:
        """The file by which a walmgr3 says that it makes a backup."""
        return self.cfg.completed / "BACKUPLOCK"

    @property
    def _backup_lock(self) -> Path:
        return self.cfg.home / ".backup.lock"

    def say(self, text: str) -> None:
        """Tell what is done, unless nobody wants to know; JSON has standard output for itself."""
        if self.quiet:
            return
        if self.out.as_json:
            sys.stderr.write(text + "\n")
        else:
            self.out.line(text)

    def require_folders(self) -> None:
        """Raise SkytoolsError unless the folders are there; never made in passing."""
        for path in (self.cfg.home, self.cfg.completed):
            if not path.is_dir():
                raise SkytoolsError(f"folder {path} is missing: is it mounted? `pair` makes it")

    def close(self) -> None:
        """Close connections."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()


def program_of_process() -> str:
    """Return the program that servers call; scriptmgr may have started us as a module."""
    own = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).with_name(SERVICE)
    return str(own if own.name == SERVICE else beside)
