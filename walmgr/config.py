# SPDX-License-Identifier: ISC
"""Settings: the keys of walmgr3's master and slave inis with their meaning, and new ones.

One ini may hold both roles. In the words of 3.x: master = primary, slave = standby; the standby's
host also has the archive and the backup sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import check_conninfo, merge_conninfo
from skytools.walmgr.link import COMPLETED, PARTIALS, SSH, is_local, split_host
from skytools.walmgr.retention import Policy

SERVICE = "walmgr"
MAX_STREAMS = 64
_CODECS = ("none", "gzip", "lz4", "zstd")


def _check_retention(text: str) -> str | None:
    try:
        Policy.parse(text)
    except ValueError as exc:
        return str(exc)
    return None


def _check_settings(text: str) -> str | None:
    for item in filter(str.strip, text.split(",")):
        name, equals, _ = item.partition("=")
        if not equals or not name.strip().replace("_", "").replace(".", "").isalnum():
            return f"{item.strip()!r} is not like name=value"
    return None


@settings
class WalmgrConfig(DaemonConfig):
    """The section [walmgr]."""

    LEGACY: ClassVar[Mapping[str, str]] = {
        **DaemonConfig.LEGACY,
        "use_xlog_functions": "pg_receivewal streams every byte as it is flushed",
        "loop_delay": "pg_receivewal streams every byte as it is flushed",
        "compression": "see archive_compression; for the way there: ssh_command = ssh -C",
        "keep_symlinks": "pg_basebackup copies what the links lead to",
        "hot_standby": "standbys are always hot",
        "master_config": "settings are changed by ALTER SYSTEM",
        "config_backup": "each set has the configuration",
        "slave_config_dir": "each set has the configuration, and brings it along",
    }

    master_db: str = option(
        "", "Connect string of the primary, for a superuser.", check=check_conninfo,
        example="host=a user=walmgr dbname=postgres",
    )  # fmt: skip
    primary_conninfo: str = option(
        "", "Connect string for streaming from the primary; default: master_db.",
        check=check_conninfo,
    )  # fmt: skip
    master_data: Path | None = option(None, "Data folder of the primary, on its host.")
    master_bin: Path | None = option(None, "PostgreSQL's programs there; default: as installed.")
    master_host: str = option(
        "", "How ssh reaches the primary's host from here; empty: it is this machine, or its files "
        "are out of reach.",
    )  # fmt: skip
    master_ini: str = option(
        "", "Path of the ini on the primary's host, for its archive_command, or none: that is left "
        "alone; default: this file when the primary is on this machine.",
    )  # fmt: skip
    master_restart_cmd: str = option("", "Shell command that restarts the primary.")
    slave: str = option("", "How ssh reaches the standby's host from the primary's.")
    slave_config: str = option("", "Path of the ini on the standby's host.")
    slave_data: Path | None = option(None, "Data folder of the standby.")
    slave_bin: Path | None = option(None, "PostgreSQL's programs; default: as installed.")
    slave_stop_cmd: str = option("", "Shell command that stops the standby; default: pg_ctl.")
    slave_start_cmd: str = option("", "Shell command that starts the standby; default: pg_ctl.")
    slave_pg_xlog: Path | None = option(None, "Folder for the standby's WAL, linked as pg_wal.")
    slave_db: str = option(
        "", "Connect string of the standby, as the primary's host sees it too; default: its local "
        "address.", check=check_conninfo,
    )  # fmt: skip
    master_settings: str = option(
        "", "Server settings that stay with the master's folder when it becomes a standby.",
        check=_check_settings,
    )  # fmt: skip
    slave_settings: str = option(
        "", "Server settings of the standby that differ from the primary's, as name=value, comma "
        "between them.", check=_check_settings, example="port=5433",
    )  # fmt: skip
    walmgr_data: Path | None = option(
        None, "Folder of the archive and of the sets; default: ~/walshipping."
    )
    completed_wals: str = option("", f"The archive; default: walmgr_data/{COMPLETED}.")
    partial_wals: str = option("", f"What the receiver writes; default: walmgr_data/{PARTIALS}.")
    full_backup: str = option("", "Backup sets begin with this; default: walmgr_data/data.master.")
    archive_compression: str = option("none", "How segments are kept.", choices=_CODECS)
    ssh_command: str = option("", f"Command for other hosts; default: {' '.join(SSH)}.")
    slot: str = option("walmgr", "Replication slot of the receiver.")
    slot_keep_size: str = option(
        "10GB", "Most WAL that the slot may hold back on the primary (max_slot_wal_keep_size), so "
        "that an unreachable standby never fills its disk.",
    )  # fmt: skip
    synchronous: str = option(
        "off", "Whether a commit waits until the receiver has it on disk: on = always, degrade = "
        "while the receiver works.", choices=("off", "on", "degrade"),
    )  # fmt: skip
    degrade_after: float = option(
        10.0, "With degrade: commits wait that long for a receiver that is gone.", unit="s", min=1
    )
    keep_backups: int | None = option(None, "How many complete sets stay; 0 is taken as 1.", min=0)
    retention: str = option(
        "", "How far back recovery must reach, and how many complete sets stay in any case.",
        check=_check_retention, example="7 days, minimum 2",
    )  # fmt: skip
    keep_daily: int = option(
        0, "Of each of so many days the newest set stays too, without the WAL after it.", min=0
    )
    keep_weekly: int = option(0, "The same for weeks.", min=0)
    keep_monthly: int = option(0, "The same for months.", min=0)
    backup_interval: float = option(
        0.0, "The daemon makes a backup so long after the last; 0: never.", unit="h", min=0
    )
    incremental: bool = option(
        False, "The daemon's backups copy only what has changed (PostgreSQL 17 and newer)."
    )
    full_interval: float = option(
        168.0, "With incremental: a full one so long after the last full.", unit="h", min=0
    )
    incremental_forever: bool = option(
        False, "With incremental: a full one only when it must be; the oldest set that is kept is "
        "made whole, and those it was based on go.",
    )  # fmt: skip
    share_files: bool = option(
        False, "Files that are the same as in the set before are kept once, as hard links."
    )
    backup_rate: str = option("", "Most that a backup reads from the server a second, as 20M.")
    backup_streams: int = option(
        1, "A full backup is copied by so many rsync side by side, which read the server's files; "
        "1: by pg_basebackup.", min=1, max=MAX_STREAMS,
    )  # fmt: skip
    backup_compression: str = option(
        "none", "How a backup comes over the network, for a slow link: the server packs, we unpack "
        "(PostgreSQL 15 and newer).", choices=_CODECS,
    )  # fmt: skip
    backup_datadir: bool = option(True, "Whether restore keeps the old data folder, renamed.")
    archive_command: str = option(
        "", "Shell command before a set is removed; $BACKUPDIR is its folder. A failure keeps it."
    )
    backup_pre_hook: str = option("", "Shell command before a backup; when it fails there is none.")
    backup_post_hook: str = option(
        "", "Shell command after one; $RESULT is ok or failed, $BACKUPDIR the new set's folder. "
        "When it fails no old set is removed.",
    )  # fmt: skip
    expire_pre_hook: str = option(
        "", "Shell command before sets are removed; $SETS are their names. When it fails they stay."
    )
    expire_post_hook: str = option("", "Shell command after sets were removed; $SETS are they.")
    hook_tries: int = option(3, "A hook that fails is run so many times.", min=1)
    hook_pause: float = option(10.0, "Time between them.", unit="s", min=0)
    offsite_command: str = option(
        "", "Shell command that stores its input elsewhere as $NAME.",
        example='ssh far "cat > /srv/$NAME.new && mv /srv/$NAME.new /srv/$NAME"',
    )  # fmt: skip
    offsite_remove: str = option("", "Shell command that removes $NAME there; default: it stays.")
    offsite_encrypt: str = option(
        "", "Who can read it, as age:RECIPIENT or gpg:RECIPIENT, or none.", example="age:age1..."
    )
    offsite_interval: float = option(
        0.0, "The service copies so often; 0: never.", unit="min", min=0
    )
    drill_interval: float = option(
        0.0,
        "The service tries a restore so long after the last trial, the first time an hour"
        " after the first set; 0: never.",
        unit="h",
        min=0,
    )
    drill_query: str = option(
        "", "A trial is good only when this finds something true.",
        example="select count(*) > 0 from orders",
    )  # fmt: skip
    metrics_file: Path | None = option(
        None, "The service writes its metrics to this file too, for node_exporter's textfile "
        "collector.", example="/var/lib/prometheus/node-exporter/walmgr.prom",
    )  # fmt: skip
    periodic_command: str = option("", "Shell command that the daemon runs now and then.")
    command_interval: float = option(0.0, "How often; 0: never.", unit="s", min=0)
    connection_lifetime: float = option(1200.0, "Replace connections that are older.", unit="s")

    def faults(self) -> list[tuple[str, str]]:
        """Tell which settings do not fit together."""
        found = []
        if not self.slot.replace("_", "").isalnum() or self.slot != self.slot.lower():
            found.append(("slot", f"{self.slot!r} may have lower-case letters, digits and _ only"))
        if self.slave_data is not None and self.slave_data == self.master_data:
            same = is_local(self.master_host) and is_local(self.slave.partition(":")[0])
            if same and not self.slave:
                found.append(("slave_data", "is the folder of the primary"))
        if self.offsite_command and not re.fullmatch("(age|gpg):.+|none", self.offsite_encrypt):
            found.append(("offsite_encrypt", "must be age:RECIPIENT, gpg:RECIPIENT or none"))
        return found

    @property
    def home(self) -> Path:
        """The folder of all that walmgr keeps."""
        return self.walmgr_data or Path("~/walshipping").expanduser()

    @property
    def completed(self) -> Path:
        """The archive's folder."""
        return self._folder(self.completed_wals, COMPLETED)

    @property
    def partials(self) -> Path:
        """The receiver's folder."""
        return self._folder(self.partial_wals, PARTIALS)

    @property
    def sets(self) -> Path:
        """What the names of backup sets begin with."""
        return self._folder(self.full_backup, "data.master")

    @property
    def ssh(self) -> tuple[str, ...]:
        """The command for other hosts."""
        return tuple(self.ssh_command.split()) or SSH

    @property
    def policy(self) -> Policy:
        """Which sets stay."""
        return Policy.parse(
            self.retention, self.keep_backups, daily=self.keep_daily, weekly=self.keep_weekly,
            monthly=self.keep_monthly,
        )  # fmt: skip

    @property
    def primary(self) -> str:
        """Connect string of the primary for statements; empty when none is known."""
        if self.master_db or not self.primary_conninfo:
            return self.master_db
        return merge_conninfo(self.primary_conninfo, dbname="postgres")

    @property
    def stream(self) -> str:
        """Connect string of the primary for streaming; empty when none is known."""
        return self.primary_conninfo or self.master_db

    def pairs(self, key: str) -> dict[str, str]:
        """Return what master_settings or slave_settings says."""
        text: str = getattr(self, key)
        pairs = (item.partition("=") for item in text.split(",") if item.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}

    def _folder(self, given: str, name: str) -> Path:
        return Path(split_host(given)[1]) if given else self.home / name
