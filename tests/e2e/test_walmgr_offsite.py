# SPDX-License-Identifier: ISC
"""A copy of sets and WAL elsewhere, encrypted, and a server made of nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.process import run
from tests.fixtures.walmgr import Hosts, snapshot
from tests.fixtures.walmgr_sets import Copy, names, switch

KEY = "walmgr@example.invalid"


@pytest.fixture
def gnupg(archived: Hosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with a key without passphrase."""
    assert shutil.which("gpg"), "no gpg: `make prepare-test` installs it"
    home = archived.folder("gnupg")
    monkeypatch.setenv("GNUPGHOME", str(home))
    words = ("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", KEY)
    made = run(*archived.words(*words, "future-default", "default", "never"), timeout=120)
    assert made.code == 0, made.err
    yield home
    run(*archived.words("gpgconf", "--kill", "all"))


RSH = """\
#!/bin/sh
shift
exec "$@"
"""
MANUAL = Path(__file__).parents[2] / "docs" / "walmgr.md"


def manual(begin: str) -> str:
    """Return the block of the manual that begins so."""
    (block,) = (one for one in MANUAL.read_text().split("```\n") if one.startswith(begin))
    return block


def test_age_and_rsync_as_the_manual_says(archived: Hosts) -> None:
    """The lines of the manual, but for the names of hosts and folders."""
    for name in ("age", "rsync", "zstd"):
        assert shutil.which(name), f"no {name}: `make prepare-test` installs it"
    there, here = archived.folder("there"), archived.folder("here")
    rsh = archived.root / "rsh"
    rsh.write_text(RSH)
    rsh.chmod(0o755)
    key = here / "key"
    assert run(*archived.words("age-keygen", "-o", key)).code == 0
    recipient = run(*archived.words("age-keygen", "-y", key)).out.strip()
    command = manual("offsite_command = cat").partition(" = ")[2].splitlines()[0]
    assert "rsync -a" in command
    command = command.replace("/var/tmp", str(here)).replace("rsync", f"rsync -e {rsh}")
    archived.write_ini(
        offsite_command=command.replace("far:/srv/pg/", f"far:{there}/"),
        offsite_encrypt=f"age:{recipient}", archive_compression="zstd",
    )  # fmt: skip
    database = archived.sql(archived.primary)
    database.execute("create table t (id int)")
    archived.good("backup")
    database.execute("insert into t values (1)")
    switch(database)
    archived.good("offsite")
    assert [path.name for path in here.iterdir()] == ["key"]
    sent = list(there.iterdir())
    assert len(sent) > 1
    assert {path.read_bytes()[:22] for path in sent} == {b"age-encryption.org/v1\n"}

    archived.primary.stop()
    shutil.rmtree(archived.data)
    archived.folder("w")
    archived.folder("w/logs.complete")
    script = manual("for f in *.tar.zst.age").rpartition("walmgr INI restore")[0]
    script = script.replace("-i key", f"-i {key}").replace("/srv/walmgr", str(archived.data))
    done = archived.shell(f"set -e; cd {there}; {script}")
    assert done.code == 0, done.err
    assert Copy(archived, 1).restore() == [1]


def test_all_of_it_is_copied_once_and_is_enough(archived: Hosts, gnupg: Path) -> None:
    there = archived.folder("there")
    keep = f"cat > {there}/$NAME.new && mv {there}/$NAME.new {there}/$NAME"
    archived.write_ini(
        offsite_command=keep, offsite_encrypt=f"gpg:{KEY}", offsite_remove=f"rm {there}/$NAME",
        keep_backups="1", archive_compression="gzip",
    )  # fmt: skip
    database = archived.sql(archived.primary)
    database.execute(f"create tablespace other location '{archived.folder('space')}'")
    database.execute("create table t (id int) tablespace other")
    archived.good("backup")
    database.execute("insert into t values (1)")
    switch(database)

    before = snapshot(archived.completed)
    planned = archived.good("offsite", "--plan").out
    assert f"send {names(archived)[0]}.full.tar.gz.gpg" in planned
    assert list(there.iterdir()) == []
    done = json.loads(archived.good("offsite", "--json").out)
    assert sorted(done["sent"]) == sorted(path.name for path in there.iterdir())
    assert "0 files sent" in archived.good("offsite").out
    assert snapshot(archived.completed) == before

    (first,) = names(archived)
    database.execute("insert into t values (2)")
    switch(database)
    _an_interruption_is_told_and_made_good(archived, there, keep)
    archived.good("backup")
    done = json.loads(archived.good("offsite", "--json").out)
    assert f"{first}.full.tar.gz.gpg" in done["removed"]
    assert [path.name for path in there.glob("*.tar.*")] == [
        f"{names(archived)[0]}.full.tar.gz.gpg"
    ]
    database.execute("insert into t values (3)")
    switch(database)
    archived.good("offsite")
    _what_is_lost_here_stays_there(archived, there)
    _is_restored_from_there_alone(archived, there)


def _what_is_lost_here_stays_there(hosts: Hosts, there: Path) -> None:
    """A disk that is not mounted looks like one from which all was removed."""
    before = snapshot(there)
    for key in ("completed_wals", "full_backup"):
        hosts.write_ini(**{key: str(hosts.folder(f"empty-{key}"))})
        failed = hosts.walmgr("offsite")
        assert (failed.code, "Nothing is removed off-site" in failed.err) == (3, True), failed.err
        hosts.write_ini(**{key: ""})
        assert snapshot(there) == before


def _an_interruption_is_told_and_made_good(hosts: Hosts, there: Path, keep: str) -> None:
    full = "echo the disk there is full >&2; head -c 1 > /dev/null; exit 1"
    hosts.write_ini(offsite_command=full)
    failed = hosts.walmgr("offsite")
    assert (failed.code, "the disk there is full" in failed.err) == (1, True)
    # What encrypts fails in the middle: the command never sees the end of its input.
    hosts.write_ini(offsite_command=keep, offsite_encrypt="gpg:nobody@example.invalid")
    before = snapshot(there)
    failed = hosts.walmgr("offsite")
    assert (failed.code, failed.err.count("\n")) == (1, 1), failed.err
    assert {path for path in snapshot(there) if not path.endswith(".new")} == set(before)
    hosts.write_ini(offsite_encrypt="age:age1nobody")
    if shutil.which("age") is None:
        assert "age is not installed here" in hosts.walmgr("offsite").err
    hosts.write_ini(offsite_encrypt="nonsense")
    assert "must be age:RECIPIENT" in hosts.walmgr("offsite").err
    hosts.write_ini(offsite_encrypt=f"gpg:{KEY}")
    assert json.loads(hosts.good("offsite", "--json").out)["sent"]


def _is_restored_from_there_alone(hosts: Hosts, there: Path) -> None:
    """As the manual says it; archive, sets and primary are gone."""
    hosts.primary.stop()
    shutil.rmtree(hosts.data)
    hosts.folder("w")
    hosts.folder("w/logs.complete")
    script = f"""
        cd {there}
        for file in *.tar.gz.gpg; do
            gpg --batch --quiet -d "$file" | gzip -dc | tar -C {hosts.data} -xf -
        done
        for file in 0*.gpg; do
            gpg --batch --quiet -d "$file" > {hosts.data}/logs.complete/"${{file%.gpg}}"
        done
    """
    done = subprocess.run(
        hosts.words("sh", "-euc", script), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert Copy(hosts, 1).restore() == [1, 2, 3]
