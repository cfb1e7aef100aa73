# SPDX-License-Identifier: ISC
"""Configuration that a server keeps outside of its data folder, as Debian's do.

pg_basebackup leaves it behind, and no server starts without it: a backup set has a copy in a folder
of its own, and a server that is made of the set has it in its data folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from skytools.core.db import Database
from skytools.walmgr.datadir import AUTO_CONF, quoted
from skytools.walmgr.files import make_folder, write_text
from skytools.walmgr.remote import Host
from skytools.walmgr.sets import BackupSet

FOLDER = "config"
MAIN = "postgresql.conf"
OPTIONS = "postmaster.opts"
LIES_OUTSIDE = """
select not starts_with(
    current_setting('config_file'), rtrim(current_setting('data_directory'), '/') || '/'
)
"""
# The last one of a name counts; where files are is different where the copy is used.
SETTINGS = """
select distinct on (name) name, setting from pg_file_settings
where sourcefile not like '%%/' || %s and setting is not null and name not in
    ('data_directory', 'config_file', 'hba_file', 'ident_file', 'external_pid_file')
order by name, seqno desc
"""


def keep_configuration(database: Database, one: BackupSet) -> None:
    """Put a copy of the server's configuration into a set. Raises DatabaseError, OSError."""
    if not database.value(LIES_OUTSIDE):
        return
    folder = one.path / FOLDER
    make_folder(folder)
    settings = database.query(SETTINGS, [AUTO_CONF])
    lines = [f"{name} = {quoted(value)}\n" for name, value in settings]
    write_text(folder / MAIN, "".join(lines))
    for name, key in (("pg_hba.conf", "hba_file"), ("pg_ident.conf", "ident_file")):
        text = database.value("select pg_read_file(current_setting(%s))", [key])
        write_text(folder / name, str(text))


def bring_configuration(one: BackupSet, datadir: Path) -> None:
    """Give a data folder the configuration of its set, if the set has one. Raises OSError."""
    folder = one.path / FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        write_text(datadir / path.name, path.read_text(encoding="utf-8"))


def mend_configuration(sets: Sequence[BackupSet], host: Host, datadir: Path) -> None:
    """Give a folder that has no configuration that of the newest set. Raises OSError.

    What made the folder was killed before it could do so.
    """
    if not (datadir / MAIN).exists() and not config_file(host, datadir):
        for one in [one for one in sets if one.complete and (one.path / FOLDER).is_dir()][-1:]:
            bring_configuration(one, datadir)


def config_file(host: Host, datadir: Path) -> str:
    """Return where a server that has run here has its configuration, empty for in `datadir`.

    Raises ProgramError.
    """
    if host.exists(datadir / MAIN):
        return ""
    words = shlex.split(host.read(datadir / OPTIONS) or "")
    found = [word.partition("=")[2] for word in words if word.startswith("config_file=")]
    return found[-1] if found else ""
