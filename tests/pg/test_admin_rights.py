# SPDX-License-Identifier: ISC
"""Members of pgq_admin may do all but resurrect, which says so before it touches anything."""

from __future__ import annotations

import pytest

from skytools.core.db import Database
from tests.fixtures.admin import Site


@pytest.fixture
def site(make_db, tmp_path, spawn):
    made = Site(tmp_path, spawn)
    for name, kind, above in (("a", "root", ""), ("b", "branch", "a")):
        db = make_db()
        db.execute(
            "do $$ begin create role adm login in role pgq_admin;"
            " exception when duplicate_object then null; end $$;"
            " grant create on schema public to adm"
        ).close()
        db.conninfo = db.conninfo.replace("user=postgres", "user=adm")
        db.close()
        made.add(name, db, kind, above)
    yield made
    made.close()


def test_what_a_member_of_pgq_admin_may_do(site):
    before = site.shape()
    site.setadm("b", "takeover", "a", "--dead-root", "--force")
    done = site.command("a", "resurrect")
    assert "may not delete events; run this as the owner of the extension pgq" in done.err
    assert site.shape()["a"] == before["a"]
    assert site.nodes["b"].info("node_type") == "root"
    site.setadm("b", "drop-node", "a")
    assert site.nodes["a"].info("node_type") is None


def test_an_extension_that_the_role_may_not_make_is_told_as_a_statement(site):
    conninfo = site.nodes["b"].db.conninfo
    admin = Database("admin", conninfo.replace("user=adm", "user=postgres"), autocommit=True)
    admin.execute("drop extension pgq_node cascade").close()
    admin.close()
    done = site.command("b", "install")
    assert done.code == 1
    assert done.err.endswith(
        "may not make extension pgq_node: have a superuser run there:"
        " create extension pgq_node cascade\n"
    )
