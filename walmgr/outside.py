# SPDX-License-Identifier: ISC
"""Configuration that a copy of a data folder does not have.

Debian's servers have it in another folder, others by links or `include`. pg_basebackup leaves that
behind, and no server starts without it: a backup set has a copy in a folder of its own, each file
with all that it includes, and a server that is made of the set has that in its data folder.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skytools.core.db import Database
from skytools.walmgr.datadir import AUTO_CONF, quoted
from skytools.walmgr.files import make_folder, write_text
from skytools.walmgr.remote import Host
from skytools.walmgr.sets import BackupSet

FOLDER = "config"
MAIN = "postgresql.conf"
RULES = {"pg_hba.conf": "hba_file", "pg_ident.conf": "ident_file"}
OPTIONS = "postmaster.opts"
SOURCES = """
select current_setting('config_file') union
select sourcefile from pg_file_settings where sourcefile not like '%%/' || %s
"""
# The last one of a name counts; where files are is different where the copy is used.
SETTINGS = """
select distinct on (name) name, setting from pg_file_settings
where sourcefile not like '%%/' || %s and setting is not null and name not in
    ('data_directory', 'config_file', 'hba_file', 'ident_file', 'external_pid_file')
order by name, seqno desc
"""
TEXT = "select pg_read_binary_file(%s) where not (pg_stat_file(%s, true)).isdir"
INCLUDED = """
select %s || '/' || name from pg_ls_dir(%s, true, false) name
where name like '%%_.conf' and name not like '.%%' order by name collate "C"
"""
INCLUDE = re.compile(r'\s*(include|include_if_exists|include_dir)\s+("[^"]+"|[^\s,"#]+)\s*(#.*)?')
CONTINUED = re.compile(r"\\\r?\n")
WORD = re.compile(r'#.*|(?:"(?:[^"]|"")*"|[^\s,"#])+')
DEEPEST = 10  # of files that include each other; PostgreSQL's limit


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a server reads when it starts: the files, and what would do instead of them."""

    datadir: str
    sources: Sequence[str]
    texts: dict[str, str]

    def keep(self, one: BackupSet) -> None:
        """Put it into a set that has been copied, unless the copy has it all. Raises OSError."""
        inside = [Path(path) for path in self.sources if path.startswith(f"{self.datadir}/")]
        found = [one.data / path.relative_to(self.datadir) for path in inside]
        if len(inside) == len(self.sources) and all(path.is_file() for path in found):
            return
        make_folder(one.path / FOLDER)
        for name, text in self.texts.items():
            write_text(one.path / FOLDER / name, text)


def read_configuration(database: Database) -> Configuration:
    """Ask a server for its configuration. Raises DatabaseError."""
    sources = [str(path) for (path,) in database.query(SOURCES, [AUTO_CONF])]
    settings = database.query(SETTINGS, [AUTO_CONF])
    texts = {MAIN: "".join(f"{name} = {quoted(value)}\n" for name, value in settings)}
    for name, key in RULES.items():
        path = str(database.value(f"show {key}"))
        texts[name] = _Reader(database, sources).read(path) or ""
    datadir = str(database.value("show data_directory")).rstrip("/")
    return Configuration(datadir, sources, texts)


class _Reader:
    """Reads pg_hba.conf or pg_ident.conf as one text; what it read is added to `files`.

    What is not there stays included by name: the server says so, as that of the original would.
    """

    def __init__(self, database: Database, files: list[str]) -> None:
        self._database = database
        self._files = files

    def read(self, path: str, depth: int = 0) -> str | None:
        found = self._database.value(TEXT, [path, path]) if depth <= DEEPEST else None
        if found is None:
            return None
        self._files.append(path)
        # A comment may be in any encoding.
        text = bytes(found).decode(errors="replace")
        lines = CONTINUED.sub("", text).removesuffix("\n").split("\n")
        return "".join(self._line(path, line, depth + 1) + "\n" for line in lines)

    def _line(self, path: str, line: str, depth: int) -> str:
        found = INCLUDE.fullmatch(line)
        if found is None:
            return WORD.sub(lambda word: self._word(path, word[0], depth), line)
        wanted = [_beside(path, found[2])]
        if found[1] == "include_dir":
            wanted = [str(name) for (name,) in self._database.query(INCLUDED, wanted * 2)]
        texts = [text for one in wanted if (text := self.read(one, depth)) is not None]
        return "\n".join(texts) if len(texts) == len(wanted) else line

    def _word(self, path: str, word: str, depth: int) -> str:
        """Return what a word stands for: `@file` for the words of a file."""
        text = self.read(_beside(path, word[1:]), depth) if re.match("@.", word) else None
        return word if text is None else ",".join(w for w in WORD.findall(text) if w[0] != "#")


def _beside(path: str, name: str) -> str:
    """Return the path of a file that another one names."""
    return posixpath.join(posixpath.dirname(path), name.replace('"', ""))


def bring_configuration(one: BackupSet, datadir: Path) -> list[str]:
    """Give a data folder the configuration of its set, if that has one. Raises OSError.

    Returns the names of the files.
    """
    folder = one.path / FOLDER
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    for name in names:
        write_text(datadir / name, (folder / name).read_text(encoding="utf-8"))
    return names


def config_file(host: Host, datadir: Path) -> str:
    """Return where a server that has run here has its configuration, empty for in `datadir`.

    Raises ProgramError.
    """
    if host.exists(datadir / MAIN):
        return ""
    words = shlex.split(host.read(datadir / OPTIONS) or "")
    found = [word.partition("=")[2] for word in words if word.startswith("config_file=")]
    return found[-1] if found else ""
