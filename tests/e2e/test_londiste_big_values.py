# SPDX-License-Identifier: ISC
"""Values of 100 MB: added, copied, applied, compared and repaired."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

SIZE = 100 << 20  # bytes of a value
TABLE = "create table v (id int primary key, t text, b bytea, n int not null default 0)"
# Hardly compressible; letters that are two bytes and become six in the queue; bytes.
TEXT = f"(select string_agg(md5(i::text), '') from generate_series(1, {SIZE // 32}) i)"
UMLAUTS = f"repeat('ä ', {SIZE // 3})"
BYTES = f"decode(repeat('00ff5c27', {SIZE // 4}), 'hex')"
DIGESTS = "select id, n, md5(t), md5(b), octet_length(t), length(b) from v order by id"


def test_values_of_100_mb(tree, ticking, cli, wait_until):
    tree.root()
    tree.node("leaf", "leaf", "root")
    root, leaf = tree["root"].db, tree["leaf"].db
    root.execute(TABLE)
    root.execute(f"insert into v values (1, {TEXT}, null), (2, null, {BYTES})")
    ticking(root)
    for name in ("root", "leaf"):
        cli.start(name)
    cli("root", "add-table", "v")
    cli("leaf", "add-table", "v", "--create", "--wait-sync")
    assert leaf.query(DIGESTS) == root.query(DIGESTS)

    root.execute(f"insert into v values (3, {UMLAUTS}, null), (4, null, {BYTES})")
    root.execute("update v set n = 1 where id = 1")
    root.execute(f"update v set b = {BYTES} || '\\x01' where id = 2")
    root.execute("update v set id = 5 where id = 4")
    root.execute(f"insert into v values (6, {TEXT})")
    root.execute("delete from v where id = 6")
    expected = root.query(DIGESTS)
    wait_until(lambda: leaf.query(DIGESTS) == expected, 600, lambda: str(leaf.query(DIGESTS)))
    cli("leaf", "compare")

    leaf.execute("set session_replication_role = replica")
    leaf.execute("update v set t = overlay(t placing '!' from 50000000) where id = 1")
    leaf.execute("delete from v where id = 5")
    assert "do not match" in cli("leaf", "compare", code=1).err
    cli("leaf", "repair", "--apply")
    assert leaf.query(DIGESTS) == expected
    cli("leaf", "compare")
