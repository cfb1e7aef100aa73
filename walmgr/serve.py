# SPDX-License-Identifier: ISC
"""`xserve`: all that the other host may do here. The forced command of its ssh key.

SSH_ORIGINAL_COMMAND says what is asked for. On the archive's host: bring and fetch WAL, look, make
a backup. On the primary's host: what salvage, switchover and rejoin need, on its data folder.
Imports nothing heavy: every archived segment comes this way.
"""

from __future__ import annotations

import os

from skytools.walmgr.archive import failed
from skytools.walmgr.link import Place
from skytools.walmgr.wal import WalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REFUSED = 126
FAST = ("xput", "xget")
FOR_PEOPLE = ("listbackups", "points", "point", "status", "check", "backup", "sync", "xpartialsync")
PREFIX = ["env", "LC_ALL=C", "TZ=UTC"]
TOOLS = ("cat", "ls", "test", "rm")
# What a backup by several streams asks rsync for: to read, by a list of names, nothing else.
RSYNC_LETTERS = frozenset("-tpRIzW")
RSYNC_OPTIONS = (
    *(
        "--files-from=-",
        "--from0",
        "--no-implied-dirs",
        "--ignore-missing-args",
        "--omit-dir-times",
    ),
    *("--ignore-times", "--no-r", "--dirs", "--new-compress", "--old-compress", "-O"),
)
RSYNC_VALUES = ("--bwlimit", "--modify-window", "--compress-choice", "--log-format", "--out-format")
SERVER_PROGRAMS = ("pg_controldata", "pg_ctl", "pg_rewind", "pg_resetwal", "postgres")


def xserve(ini: str, program: str, run: Callable[[list[str]], int]) -> int:
    """Do what the other host asks for, if it may; `run` is walmgr itself. Returns the exit code."""
    try:
        words = split(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
        if Place.read(ini, program).host:
            words = _of_primary(ini, words)
            os.execvp(words[0], words)  # noqa: S606 - checked word by word
        words = _of_archive(words)
        if words[0] in FOR_PEOPLE:
            # They need packages that we were started without.
            os.execv(program, [program, ini, *words])  # noqa: S606
        return run([ini, *words])
    except (WalError, OSError) as exc:
        return failed("xserve", exc, REFUSED)


def split(command: str) -> list[str]:
    """Take apart what `quote` has joined; nothing is expanded. Raises WalError."""
    words: list[str] = []
    word: str | None = None
    mark, escaped = "", False
    for char in command:
        if escaped:
            word, escaped = f"{word}{char}", False
        elif mark:
            mark = "" if char == mark else mark
            word = (word or "") + ("" if not mark else char)
        elif char in "'\"":
            mark, word = char, word or ""
        elif char == "\\":
            word, escaped = word or "", True
        elif char.isspace():
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + char
    if mark or escaped:
        raise WalError("a quotation is not closed")
    return words if word is None else [*words, word]


def _of_archive(words: Sequence[str]) -> list[str]:
    """Return verb and arguments; the ini is the one of the key, whatever the other host says."""
    verb = words[2] if len(words) > 2 else ""
    if verb not in FAST and verb not in FOR_PEOPLE:
        raise WalError(f"{verb or 'a shell'!r} is not allowed by this key: run it on this host")
    if verb in FOR_PEOPLE and any(map(_is_override, words)):
        raise WalError("--set is not allowed by this key")
    return list(words[2:])


def _is_override(word: str) -> bool:
    """Whether a word is --set, which brings commands along; argparse takes it shortened, too."""
    option = word.partition("=")[0]
    return option.startswith("--set") or ("--set".startswith(option) and len(option) > len("--"))


def _of_primary(ini: str, words: list[str]) -> list[str]:
    from skytools.walmgr.quickini import read
    from skytools.walmgr.remote import SCRIPTS, UNIT_DOWN

    folder = os.path.normpath(os.path.expanduser(read(ini).get("master_data", "")))
    bare = words[len(PREFIX) :] if words[: len(PREFIX)] == PREFIX else words
    name = bare[0].rpartition("/")[2] if bare else ""
    if folder in ("", "."):
        raise WalError(f"{ini}: master_data is not set, so nothing is allowed here")
    if bare[:2] == ["sh", "-c"] and len(bare) > 4 and bare[2] in SCRIPTS:
        paths = [] if bare[2] == UNIT_DOWN else bare[4:]
    elif bare == ["rsync", "--version"]:
        paths = []
    elif bare[:3] == ["rsync", "--server", "--sender"]:
        paths = _of_rsync(bare[3:])
    elif bare and bare[0] in TOOLS:
        paths = [word for word in bare[1:] if not word.startswith("-")]
    elif name in SERVER_PROGRAMS and bare[0].startswith("/"):
        paths = _options(bare, ("-D", "-l"))
    else:
        raise WalError(f"{name or 'a shell'!r} is not allowed by this key")
    for path in paths:
        if not _is_below(path, folder):
            raise WalError(f"{path} is not of the data folder {folder}")
    return words


def _of_rsync(words: list[str]) -> list[str]:
    """Return the folder that an rsync over there wants to read, and no more. Raises WalError."""
    for word in words[:-2]:
        # What follows "e." tells what the other side can; a server starts nothing by it.
        letters = word[:1] == "-" and RSYNC_LETTERS.issuperset(word.partition("e.")[0])
        known = letters or word in RSYNC_OPTIONS
        name, _, value = word.partition("=")
        if not known and not (name in RSYNC_VALUES and value.lstrip("-").isalnum()):
            raise WalError(f"rsync {word!r} is not allowed by this key")
    if len(words) < 2 or words[-2] != ".":
        raise WalError("rsync is not allowed by this key but to read a folder")
    return words[-1:]


def _options(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the values of these options."""
    return [words[n + 1] for n, word in enumerate(words[:-1]) if word in names]


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is of the data folder, its log, or tells of a process."""
    plain = os.path.normpath(path)
    if plain.isdigit() or plain in (folder, f"{folder}-walmgr.log"):
        return True
    parts = plain.split("/")
    if len(parts) == 4 and parts[1] == "proc" and parts[2].isdigit():
        return parts[3] in ("cwd", "stat")
    return plain.startswith(f"{folder}/")
