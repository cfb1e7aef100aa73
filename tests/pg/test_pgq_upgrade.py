# SPDX-License-Identifier: ISC
"""What happens to the server below a queue: pg_upgrade, recovery to the past, wrap of txids."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from skytools.core.db import Database
from skytools.core.pgserver import PrivateServer

EAGER = "update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0'"


def connect(server: PrivateServer, dbname: str = "work") -> Database:
    return Database(dbname, server.conninfo(dbname), autocommit=True)


def make_queue(server: PrivateServer) -> Database:
    """Give a database with a queue, a consumer, events in its open batch, later, and unticked."""
    server.createdb("work")
    db = connect(server)
    db.execute("create extension pgq")
    db.query("select pgq.create_queue('q')")
    db.execute(EAGER)
    db.query("select pgq.register_consumer('q', 'c')")
    insert(db, "a1", "a2")
    db.query("select pgq.ticker('q')")
    db.query("select pgq.next_batch('q', 'c')")
    insert(db, "b1")
    db.query("select pgq.ticker('q')")
    insert(db, "c1")
    return db


def insert(db: Database, *data: str) -> None:
    for value in data:
        db.query("select pgq.insert_event('q', 't', %s)", (value,))


def read_all(db: Database) -> list[list[str]]:
    """Tick, and read to the end."""
    db.query("select pgq.ticker('q')")
    batches = []
    while batch := db.value("select pgq.next_batch('q', 'c')"):
        rows = db.query("select ev_data from pgq.get_batch_events(%s)", (batch,))
        batches.append([data for (data,) in rows])
        assert db.value("select pgq.finish_batch(%s)", (batch,)) == 1
    return [batch for batch in batches if batch]


def run(server: PrivateServer, *argv: object) -> None:
    """Run a program of the server as its user."""
    words = [str(word) for word in argv]
    if os.getuid() == 0:
        words = ["setpriv", "--reuid", server.user, "--clear-groups", "--", *words]
    done = subprocess.run(
        words, cwd=server.datadir.parent, capture_output=True, text=True, check=False
    )
    logs = "".join(p.read_text()[-1500:] for p in server.datadir.rglob("pg_upgrade_dump_*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def move_xids(server: PrivateServer, epoch: int, next_xid: int) -> None:
    """Let the next transaction have this number. All that is there is frozen before."""
    server.start()
    admin = connect(server, "postgres")
    admin.execute("update pg_database set datallowconn = true")
    for (name,) in admin.query("select datname from pg_database"):
        one = connect(server, name)
        one.execute("vacuum freeze")
        one.close()
    admin.close()
    server.stop()
    # Commit status of the page that the next xid lies on.
    page = server.datadir / "pg_xact" / f"{next_xid // 2**20:04X}"
    if not page.exists():
        page.write_bytes(bytes(2**18))
        os.chown(page, server.datadir.stat().st_uid, -1)
    run(server, server.program("pg_resetwal"), "-f", "-e", epoch, "-x", next_xid,
        "-u", next_xid - 100, server.datadir)  # fmt: skip
    server.start()


# Just below the wrap, and long past it.
@pytest.mark.parametrize(("epoch", "next_xid"), [(0, 2**32 - 100), (2, 1000)])
def test_a_queue_goes_on_where_transaction_ids_wrap(make_cluster, epoch, next_xid):
    server = make_cluster(start=False, autovacuum="off")
    move_xids(server, epoch, next_xid)
    db = make_queue(server)
    assert db.value("select txid_current()") >> 32 == epoch
    db.execute("create procedure burn() language plpgsql as $$ begin for i in 1 .. 80 loop"
               " perform txid_current(); commit; end loop; end; $$")  # fmt: skip
    late = Database("late", db.conninfo)
    insert(late, "late")
    db.query("select pgq.ticker('q')")
    db.execute("call burn()")
    insert(db, "d1")
    assert read_all(db) == [["a1", "a2"], ["b1"], ["c1"], ["d1"]]
    late.commit()
    late.close()
    assert read_all(db) == [["late"]]
    db.execute("update pgq.queue set queue_rotation_period = '0'")
    tables = set()
    for number in range(4):
        db.query("select pgq.maint_rotate_tables_step1('q')")
        db.query("select pgq.maint_rotate_tables_step2()")
        insert(db, f"e{number}")
        assert read_all(db) == [[f"e{number}"]]
        tables.add(db.value("select queue_cur_table from pgq.queue"))
    assert tables == {0, 1, 2}
    assert db.value("select txid_current()") >> 32 == (epoch or 1)
    db.close()


def test_a_server_recovered_to_an_earlier_time_goes_on_from_there(make_cluster, tmp_path):
    """What was finished after that time is there again, each event once, and new ones follow."""
    archive = Path(make_cluster(start=False).datadir.parent) / "archive"
    archive.mkdir()
    archive.chmod(0o777)
    server = make_cluster(
        wal_level="replica",
        max_wal_senders="2",
        archive_mode="on",
        archive_command=f"cp %p {archive}/%f",
    )
    backup = server.datadir.parent / "backup"
    db = make_queue(server)
    run(server, server.program("pg_basebackup"), "-D", backup, "-c", "fast", "-X", "stream",
        "-d", server.conninfo())  # fmt: skip
    insert(db, "d1")
    db.query("select pgq.ticker('q')")
    target = db.value("select pg_create_restore_point('back')")
    assert target
    insert(db, "lost")
    assert read_all(db)[-1] == ["lost"]
    for _ in range(50):
        db.value("select txid_current()")
    lost_txid = db.value("select txid_current()")
    db.query("select pg_switch_wal()")
    db.close()
    server.stop()

    recovered = make_cluster(
        backup,
        start=False,
        restore_command=f"cp {archive}/%f %p",
        recovery_target_name="back",
        recovery_target_action="promote",
    )
    (recovered.datadir / "recovery.signal").touch()
    os.chown(recovered.datadir / "recovery.signal", recovered.datadir.stat().st_uid, -1)
    recovered.start()
    db = connect(recovered)
    while db.value("select pg_is_in_recovery()"):
        db.close()
        recovered.wait_ready()
    assert db.value("select txid_current()") < lost_txid
    insert(db, "new")
    assert read_all(db) == [["a1", "a2"], ["b1"], ["c1", "d1"], ["new"]]
    db.close()


@pytest.mark.skipif(
    "SKYTOOLS_OLD_PG_BINDIR" not in os.environ,
    reason="pg_upgrade needs an older PostgreSQL beside: make test-pg PG=17 has one",
)
def test_pg_upgrade_keeps_a_queue_with_its_open_batch(make_cluster, server_root):
    old_bindir = Path(os.environ["SKYTOOLS_OLD_PG_BINDIR"])
    old = PrivateServer(server_root / "old" / "data", old_bindir)
    new = make_cluster(start=False)
    old.initdb()
    old.start()
    try:
        db = make_queue(old)
        batch = db.value("select current_batch from pgq.get_consumer_info('q', 'c')")
        db.close()
        old.stop()
        run(new, new.program("pg_upgrade"), "-b", old_bindir, "-B", new.bindir, "-d", old.datadir,
            "-D", new.datadir, "-U", "postgres", "-s", new.datadir.parent)  # fmt: skip
    finally:
        old.destroy()
    new.start()
    db = connect(new)
    assert db.value("select current_batch from pgq.get_consumer_info('q', 'c')") == batch
    insert(db, "d1")
    assert read_all(db) == [["a1", "a2"], ["b1"], ["c1", "d1"]]
    db.close()
