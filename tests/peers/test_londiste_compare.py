# SPDX-License-Identifier: ISC
"""Our leaf below a root of Debian's londiste 3.11 on pgq 3.5: tables, compare, repair."""

from __future__ import annotations

from tests.peers.conftest import PEERS, peer_env, write_ini
from tests.peers.work import make_queue

TABLE = "create table t (id int primary key, name text)"


def test_compare_and_repair_with_a_root_of_3_11(
    server, make_db, make_old_db, run_program, spawn, start_pgqd35, tmp_path, wait_until
):
    """Writers wait for a SHARE lock there, as in Londiste 3: that root makes no tick for us."""
    root, leaf = make_old_db(), make_db()
    root.execute("create extension pgq_node version '3.5'")
    root.execute("create extension londiste version '3.8'")
    inis = {}
    for name, db in (("root", root), ("leaf", leaf)):
        db.execute(TABLE)
        keys = {"job_name": f"{name}_w", "db": db.conninfo, "queue_name": "q",
                "pidfile": tmp_path / f"{name}.pid", "loop_delay": 0.1,
                "lock_timeout": 30}  # fmt: skip
        inis[name] = write_ini(tmp_path / f"{name}.ini", "londiste", keys)
    root.execute("insert into t select n, 'n' || n from generate_series(1, 1000) n")

    def theirs(*words):
        done = run_program(PEERS / "usr/bin/londiste", inis["root"], *words, env=peer_env())
        assert done.code == 0, done.out + done.err

    def ours(*words, code=0):
        done = run_program("londiste", inis["leaf"], *words, cwd=tmp_path)
        assert done.code == code, done.out + done.err
        return done.err

    theirs("create-root", "root", root.conninfo)
    ours("create-leaf", "leaf", leaf.conninfo, f"--provider={root.conninfo}")
    make_queue(root)
    start_pgqd35(server, root.name)
    spawn(PEERS / "usr/bin/londiste", inis["root"], "worker", env=peer_env())
    spawn("londiste", inis["leaf"], "worker")
    theirs("add-table", "t")
    ours("add-table", "t", "--wait-sync")
    root.execute("update t set name = 'changed' where id < 10")
    assert "srcdb: 1000 rows" in ours("compare")
    leaf.execute("set session_replication_role to replica")
    leaf.execute("update t set name = 'wrong' where id = 500")
    leaf.execute("delete from t where id = 7")
    assert "Results do not match!" in ours("compare", code=1)
    assert "missed: 1 inserts, 1 updates, 0 deletes" in ours("repair", "--apply", "t")
    ours("compare")
    wait_until(lambda: leaf.query("select name from t where id = 7") == [("changed",)])
