# SPDX-License-Identifier: ISC
"""What belongs to a backup, how it is divided, and the manifest of it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skytools.core.db import Database
from skytools.core.errors import UsageError
from skytools.core.pgserver import find_tree
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.content import EACH, MAIN, SourceFile, balance, choose
from skytools.walmgr.errors import ProgramError
from skytools.walmgr.manifest import Checksums, FileEntry, WalRange, read_files, write_manifest
from skytools.walmgr.node import nodes
from skytools.walmgr.remote import Host
from skytools.walmgr.rsync import Job, Rsync
from skytools.walmgr.sets import BackupSet
from skytools.walmgr.streams import DOUBT, Source, jobs_of, kilobytes
from skytools.walmgr.wal import WalError

VERSION = "PG_15_202209061"


def kept(*names: str, root: str = MAIN, empty: tuple[str, ...] = ("pg_notify",)) -> set[str]:
    """Return what of these stays; a name that ends with / is a folder."""
    found = [
        ("d" if name.endswith("/") else "f", SourceFile(root, name.rstrip("/"), 1, 0.0))
        for name in names
    ]
    content = choose(found, VERSION, empty)
    return {one.name for one in content.files} | {f"{name}/" for _, name in content.folders}


def test_what_a_server_makes_anew_is_left_out() -> None:
    assert kept(
        "PG_VERSION", "postmaster.pid", "postmaster.opts", "backup_label", "tablespace_map",
        "backup_manifest", "postgresql.auto.conf", "postgresql.auto.conf.tmp", "pg_notify/",
        "pg_notify/0000", "pg_notifyx", "global/", "global/pg_control", "global/pg_internal.init",
        "global/pg_internal.init.77", "global/pg_filenode.map", "base/pgsql_tmp/",
        "base/pgsql_tmp/pgsql_tmp1.0", "base/5/pg_internal.init", "global/postmaster.pid",
    ) == {
        "PG_VERSION", "postgresql.auto.conf", "pg_notify/", "pg_notifyx", "global/",
        "global/pg_filenode.map", "global/postmaster.pid",
    }  # fmt: skip


def test_of_unlogged_relations_only_the_init_fork_stays() -> None:
    rest = ("base/6/16384", "base/5/163840", "base/5/16385_fsm", "global/16384", "base/5/log")
    gone = ("16384", "16384.1", "16384_fsm", "16384_vm", "16384_vm.1", "t3_99", "t3_99_fsm.1")
    names = [f"base/5/{name}" for name in gone]
    assert kept("base/5/16384_init", *names, *rest) == {"base/5/16384_init", *rest}
    spaces = (f"{VERSION}/5/16384_init", f"{VERSION}/5/16384", f"{VERSION}/5/1")
    assert kept(*spaces, root="99") == {spaces[0], spaces[2]}


def test_of_a_tablespace_only_the_servers_version_stays() -> None:
    names = (f"{VERSION}/", f"{VERSION}/5/1", "PG_14_202107181/5/1", "mine")
    assert kept(*names, root="99") == set(names[:2])


def test_links_are_left_out_but_for_the_folder_of_wal() -> None:
    kinds = {"pg_wal": "l", "pg_tblspc/99": "l", "postgresql.conf": "l", "socket": "s"}
    found = [(kind, SourceFile(MAIN, name, 1, 0.0)) for name, kind in kinds.items()]
    content = choose(found, VERSION, ("pg_wal",))
    assert content.folders == [(MAIN, "pg_wal")]
    assert (content.files, content.others) == ([], ["postgresql.conf", "socket"])


@given(st.lists(st.integers(0, 1 << 30), max_size=60), st.integers(1, 9))
def test_each_stream_has_about_as_much_to_do(sizes: list[int], streams: int) -> None:
    files = [SourceFile(MAIN, str(number), size, 0.0) for number, size in enumerate(sizes)]
    shares = balance(files, streams)
    assert sorted(one.name for share in shares for one in share) == sorted(f.name for f in files)
    loads = [sum(one.size + EACH for one in share) for share in shares]
    assert max(loads) - min(loads) <= max(sizes, default=0) + EACH


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("500", 500), ("500k", 500), ("1.5M", 1536), ("20 MB", 20480)]
)
def test_rates(text: str, expected: float) -> None:
    assert kilobytes(text) == expected


@pytest.mark.parametrize("text", ["fast", "-1", "0", "20G"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(UsageError, match="is no rate such as"):
        kilobytes(text)


def test_what_was_changed_as_the_earlier_set_began_is_never_linked(tmp_path: Path) -> None:
    base = BackupSet("s", tmp_path, started=1000.0, tablespaces={"7": "/srv/7"})
    master = nodes(WalmgrConfig(job_name="x", master_data=Path("/srv/data")))["master"]
    source = Source(master, Database("x", ""), 2, "", base)
    times = {"old": 900.0, "doubtful": 1000.0 - DOUBT, "new": 1001.0}
    share = [SourceFile(root, name, 1, times[name]) for root in ("", "7", "8") for name in times]
    jobs = jobs_of(BackupSet("t", tmp_path / "t"), source, share)
    linked = [(one.source, list(one.names)) for one in jobs if one.links is not None]
    assert linked == [("/srv/data/", ["old"]), ("/srv/data/pg_tblspc/7/", ["old"])]
    assert len([name for one in jobs for name in one.names]) == len(share)


def verdict(folder: Path) -> str:
    """Return what pg_verifybackup complains of."""
    done = subprocess.run(
        [find_tree() / "pg_verifybackup", "--no-parse-wal", folder],
        capture_output=True, text=True, check=False, errors="replace",
    )  # fmt: skip
    assert (done.returncode == 0) is (done.stderr == ""), done.stderr
    return done.stderr


def make_files(folder: Path, contents: dict[bytes, bytes]) -> list[FileEntry]:
    checksums = Checksums(2)
    entries = []
    for raw, content in contents.items():
        path = folder / os.fsdecode(raw)
        path.write_bytes(content)
        checksums.add(path)
    checksums.finish()
    for raw in contents:
        path = folder / os.fsdecode(raw)
        info = path.stat()
        entries.append(FileEntry(os.fsdecode(raw), info.st_size, info.st_mtime, checksums.of(path)))
    return entries


names = st.binary(min_size=1, max_size=30).filter(
    lambda raw: not {b"/"[0], 0} & set(raw) and raw not in (b".", b"..", b"backup_manifest")
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=200), max_size=8), st.data())
def test_pg_verifybackup_believes_a_manifest_and_sees_each_change(
    contents: dict[bytes, bytes], data: st.DataObject
) -> None:
    ignored = {b"postgresql.auto.conf", b"pg_wal", b"standby.signal", b"recovery.signal"}
    contents = {raw: content for raw, content in contents.items() if raw not in ignored}
    # By this file pg_verifybackup 18 knows that a folder is no backup of tar files.
    contents[b"PG_VERSION"] = b"15\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ranges = [WalRange(1, 0x2000028, 0x2000100), WalRange(2, 0x2000100, 0x1_0300_0000)]
        entries = make_files(folder, contents)
        write_manifest(folder, entries, ranges, major=15, system_id=7)
        assert verdict(folder) == ""
        again = read_files(folder)
        assert [again[one.path].checksum for one in entries] == [one.checksum for one in entries]
        victim = folder / os.fsdecode(data.draw(st.sampled_from(sorted(contents))))
        victim.write_bytes(victim.read_bytes()[:-1] + b"?!")
        assert verdict(folder) != ""
        manifest = folder / "backup_manifest"
        manifest.write_bytes(manifest.read_bytes().replace(b'"End-LSN": "0', b'"End-LSN": "1'))
        assert "manifest checksum mismatch" in verdict(folder)


def test_the_manifest_of_17_names_the_cluster(tmp_path: Path) -> None:
    write_manifest(tmp_path, [], [WalRange(1, 1, 2)], major=17, system_id=(1 << 64) - 1)
    text = (tmp_path / "backup_manifest").read_text()
    assert '"PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": ' in text
    assert f": {(1 << 64) - 1},\n" in text


def test_a_file_that_changes_after_it_was_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    checksums = Checksums(1)
    checksums.add(path)
    checksums.add(tmp_path / "gone")
    checksums.finish()
    before = checksums.of(path)
    path.write_bytes(b"after!")
    os.utime(path, (1, 1))
    assert checksums.of(path) != before


def job(tmp_path: Path) -> Job:
    (tmp_path / "there").touch()
    return Job("/srv/data/", tmp_path, ["there", "cut"])


CUT = """\
rsync: [sender] read errors mapping "/srv/data/cut": No data available (61)
WARNING: cut failed verification -- update discarded (will try again).
rsync: read errors mapping "/srv/data/cut": No data available (61)
ERROR: cut failed verification -- update discarded.
rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1)
"""


def test_files_that_the_server_cuts_are_tried_again(tmp_path: Path) -> None:
    one = Rsync(Host(), tmp_path)
    assert one.judge(job(tmp_path), 23, CUT) == ["cut"]
    assert one.judge(job(tmp_path), 24, 'file has vanished: "/srv/data/cut"') == []


@pytest.mark.parametrize(
    ("code", "told", "expected"),
    [
        (23, CUT + 'rsync: [sender] send_files failed to open "/x": Permission denied (13)',
         "Permission denied"),
        (23, CUT + 'rsync: read errors mapping "/x": Input/output error (5)', "Input/output error"),
        (11, "rsync: write failed on x: No space left on device (28)", "No space left"),
        (255, "ssh: connect to host x port 22: Connection refused\nrsync error: unexplained",
         "Connection refused"),
        (-9, "", "was killed by signal 9"),
    ],
)  # fmt: skip
def test_all_else_is_a_fault(tmp_path: Path, code: int, told: str, expected: str) -> None:
    with pytest.raises(ProgramError, match=expected):
        Rsync(Host(), tmp_path).judge(job(tmp_path), code, told)


@pytest.mark.parametrize(
    ("host", "place", "shell"),
    [
        ("far", "far:/srv/data/", "ssh -S none -p 22 --"),
        ("me@far", "far:/srv/data/", "ssh -S none -p 22 -l me --"),
        ("fe80::1", "[fe80::1]:/srv/data/", "ssh -S none -p 22 --"),
    ],
)
def test_each_stream_has_a_connection_of_its_own(
    tmp_path: Path, host: str, place: str, shell: str
) -> None:
    words = Rsync(Host(host, ("ssh", "-p", "22")), tmp_path).words(job(tmp_path), 5, always=False)
    assert words[words.index("-e") + 1] == shell
    assert words[-2] == place
    assert "--bwlimit=5" in words


def test_a_host_cannot_be_an_option(tmp_path: Path) -> None:
    with pytest.raises(WalError, match="no host name"):
        Rsync(Host("-oProxyCommand=x"), tmp_path).words(job(tmp_path), 0, always=False)
