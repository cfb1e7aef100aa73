# SPDX-License-Identifier: ISC
"""Inis of walmgr3 still work; faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError
from skytools.walmgr.config import SERVICE, WalmgrConfig
from skytools.walmgr.link import Place
from skytools.walmgr.quickini import read
from skytools.walmgr.retention import Policy

MASTER = """\
[walmgr]
job_name             = wal-master
logfile              = ~/log/%(job_name)s.log
pidfile              = ~/pid/%(job_name)s.pid
use_skylog           = 1
master_db            = dbname=template1
master_data          = /var/lib/postgresql/15/main
master_config        = /etc/postgresql/15/main/postgresql.conf
master_bin           = /usr/lib/postgresql/15/bin
slave                = standby.example
slave_config         = /etc/wal-slave.ini
walmgr_data          = /srv/walshipping
completed_wals       = %(slave)s:%(walmgr_data)s/logs.complete
partial_wals         = %(slave)s:%(walmgr_data)s/logs.partial
full_backup          = %(slave)s:%(walmgr_data)s/data.master
config_backup        = %(slave)s:%(walmgr_data)s/config.backup
keep_backups         = 5
use_xlog_functions   = 0
compression          = 0
loop_delay           = 10.0
periodic_command     = /bin/true
command_interval     = 600
hot_standby          = 1
"""
SLAVE = """\
[walmgr]
job_name             = wal-standby
slave_data           = /var/lib/postgresql/15/main
slave_bin            = /usr/lib/postgresql/15/bin
slave_stop_cmd       = /etc/init.d/postgresql stop
slave_start_cmd      = /etc/init.d/postgresql start
slave_config_dir     = /etc/postgresql/15/main
walmgr_data          = /srv/walshipping
completed_wals       = %(walmgr_data)s/logs.complete
partial_wals         = %(walmgr_data)s/logs.partial
full_backup          = %(walmgr_data)s/data.master
backup_datadir       = yes
keep_backups         = 0
archive_command      =
primary_conninfo     = host=a port=5432
"""


def config(tmp_path: Path, text: str) -> tuple[WalmgrConfig, tuple[str, ...]]:
    path = tmp_path / "wal.ini"
    path.write_text(text)
    loaded = load(WalmgrConfig, path, SERVICE)
    return loaded.config, loaded.warnings


def test_a_master_ini_of_3x_is_read(tmp_path: Path) -> None:
    cfg, warnings = config(tmp_path, MASTER)
    assert str(cfg.completed) == "/srv/walshipping/logs.complete"
    assert str(cfg.sets) == "/srv/walshipping/data.master"
    assert cfg.policy == Policy(0, 5)
    lost = {line.split("[walmgr] ")[1].split(":")[0].split(" ")[0].rstrip(":") for line in warnings}
    assert {"use_skylog", "use_xlog_functions", "loop_delay", "hot_standby"} <= lost
    place = Place(read(str(tmp_path / "wal.ini")), str(tmp_path / "wal.ini"), "/bin/walmgr")
    assert (place.host, place.completed) == ("standby.example", "/srv/walshipping/logs.complete")
    assert place.command("xput", "a b")[-2:] == [
        "standby.example", "'/bin/walmgr' '/etc/wal-slave.ini' 'xput' 'a b'",
    ]  # fmt: skip


def test_a_slave_ini_of_3x_is_read(tmp_path: Path) -> None:
    cfg, _ = config(tmp_path, SLAVE)
    assert cfg.stream == "host=a port=5432"
    assert "dbname=postgres" in cfg.primary
    assert cfg.policy.minimum == 1
    place = Place(read(str(tmp_path / "wal.ini")), "x", "/bin/walmgr")
    assert (place.host, place.completed) == ("", "/srv/walshipping/logs.complete")


def test_the_short_ini_is_enough(tmp_path: Path) -> None:
    cfg, warnings = config(
        tmp_path, "[walmgr]\nmaster_db = host=a\nslave_data = /d\nretention = 7 days, minimum 2\n"
    )
    assert warnings == ()
    assert cfg.policy == Policy(7 * 86400, 2)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("retention = never", "'never' is neither like '7 days' nor like 'minimum 2'"),
        ("master_db = host", "is no connect string"),
        ("archive_compression = rar", "is none of: none, gzip, lz4, zstd"),
        ("slave_settings = port", "'port' is not like name=value"),
        ("slot = A-b", "lower-case letters"),
        ("synchronous = maybe", "is none of: off, on, degrade"),
        ("keep_backup = 2", "unknown key; did you mean keep_backups?"),
        ("keep_backups = -1", "too small"),
    ],
)
def test_faults_are_told(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, f"[walmgr]\n{line}\n")
    assert told in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_master_and_slave_must_not_share_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is the folder of the primary"):
        config(tmp_path, "[walmgr]\nmaster_data = /d\nslave_data = /d\n")
