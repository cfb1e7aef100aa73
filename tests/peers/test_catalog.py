# SPDX-License-Identifier: ISC
"""Schema pgq as the catalog has it: all of 3.5 is in 4.0, or CHANGED has the reason."""

from __future__ import annotations

import pytest

from tests.peers.differential import Failure, observe

FUNCTIONS = """
select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), proisstrict,
       provolatile, prosecdef
  from pg_proc p where pronamespace = 'pgq'::regnamespace"""

FUNCTION_GRANTS = """
select p.proname, pg_get_function_identity_arguments(p.oid), coalesce(r.rolname, 'public')
  from pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
  left join pg_roles r on r.oid = a.grantee
 where pronamespace = 'pgq'::regnamespace and a.grantee <> p.proowner"""

COLUMNS = """
select c.relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
       pg_get_expr(adbin, adrelid)
  from pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0
  left join pg_attrdef on adrelid = c.oid and adnum = attnum
 where relnamespace = 'pgq'::regnamespace and relkind in ('r', 'S')"""

CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  from pg_constraint where connamespace = 'pgq'::regnamespace"""

INDEXES = "select indexname, indexdef from pg_indexes where schemaname = 'pgq'"

TABLE_GRANTS = """
select c.relname, coalesce(r.rolname, 'public'), a.privilege_type
  from pg_class c, aclexplode(relacl) a left join pg_roles r on r.oid = a.grantee
 where relnamespace = 'pgq'::regnamespace and a.grantee <> relowner"""

STORAGE = """
select relname, unnest(reloptions) from pg_class where relnamespace = 'pgq'::regnamespace
union all
select inhrelid::regclass::text, inhparent::regclass::text from pg_inherits"""

DUMPED = "select unnest(extconfig)::regclass::text from pg_extension where extname = 'pgq'"

SEVEN = "queue_name text, ev_type text, ev_data text, " + ", ".join(
    f"ev_extra{n} text" for n in range(1, 5)
)
KEY = "(sub_queue, sub_consumer)"
CHANGED = {
    ("insert_event", SEVEN, "bigint", False, "v", True): "the C function takes the owner's rights",
    ("queue", 13, "queue_ticker_max_lag", "interval", True, "'00:00:03'::interval"): "10 ms now",
    **{
        (table, 2, "ev_time", "timestamp with time zone", True, None): "now(), for COPY into it"
        for table in ("event_template", "event_1", "event_1_0", "event_1_1", "event_1_2")
    },
    # The version comes third: see pgq._subscription_version.
    ("pgq.subscription", "subscription_pkey", f"PRIMARY KEY {KEY}"): "a third column",
    (
        "subscription_pkey",
        f"CREATE UNIQUE INDEX subscription_pkey ON pgq.subscription USING btree {KEY}",
    ): "a third column",
}


QUERIES = {
    "functions": FUNCTIONS,
    "function grants": FUNCTION_GRANTS,
    "columns": COLUMNS,
    "constraints": CONSTRAINTS,
    "indexes": INDEXES,
    "table grants": TABLE_GRANTS,
    "storage": STORAGE,
    "dumped": DUMPED,
}


def test_all_of_3_5_is_there(old_db, new_db):
    for db in (old_db, new_db):
        db.query("select pgq.create_queue('q')")
    missing = {}
    for name, query in QUERIES.items():
        theirs, ours = (set(db.query(query)) for db in (old_db, new_db))
        missing[name] = sorted(map(str, theirs - ours - CHANGED.keys()))
    assert missing == {name: [] for name in QUERIES}


def test_public_gets_nothing_that_it_has_not_in_3_5(old_db, new_db):
    theirs, ours = (
        {row for row in db.query(FUNCTION_GRANTS) if row[2] == "public"} for db in (old_db, new_db)
    )
    assert ours <= theirs


# Run as each role; whether it is let is compared.
BY_ROLE = (
    "select pgq.create_queue('other')",
    "select pgq.insert_event('q', 't', 'd')",
    "select pgq.insert_event('q', 't', 'd', null, null, null, null)",
    "select pgq.insert_event_raw('q', null, now(), null, null, 't', 'd', null, null, null, null)",
    "select pgq.current_event_table('q')",
    "insert into pgq.event_1_0 (ev_time, ev_type) values (now(), 'bulk')",
    "insert into watched values (1)",
    "select pgq.register_consumer('q', 'mine')",
    "select pgq.next_batch('q', 'c')",
    "select * from pgq.get_batch_events(1)",
    "select * from pgq.get_batch_cursor(1, 'cursor', 10)",
    "select pgq.event_retry(1, 1, 0)",
    "select pgq.event_retry_raw('q', 'c', now(), 9, now(), 0, 't', 'd', null, null, null, null)",
    "select pgq.finish_batch(1)",
    "select pgq.unregister_consumer('q', 'mine')",
    "select * from pgq.get_queue_info()",
    "select * from pgq.get_consumer_info()",
    "select * from pgq.get_batch_info(1)",
    "select pgq.force_tick('q')",
    "select pgq.ticker()",
    "select pgq.ticker('q')",
    "select pgq.maint_retry_events()",
    "select * from pgq.maint_operations()",
    "select pgq.maint_rotate_tables_step1('q')",
    "select pgq.maint_rotate_tables_step2()",
    "select pgq.seq_setval('pgq.event_1_id_seq', 100)",
    "select pgq.set_queue_config('q', 'ticker_max_count', '1')",
    "select count(*) from pgq.event_template",
    "select count(*) from pgq.retry_queue",
    "select count(*) from pgq.subscription",
    "update pgq.queue set queue_disable_insert = false",
    "delete from pgq.tick where false",
    "truncate pgq.event_1_2",
    "select last_value from pgq.event_1_id_seq",
    "select nextval('pgq.event_1_id_seq')",
    "select pgq.drop_queue('q', true)",
)


@pytest.mark.parametrize("role", ["pgq_reader", "pgq_writer", "pgq_admin", "pg_monitor"])
def test_each_role_may_do_the_same(old_db, new_db, role):
    """pg_monitor stands for somebody without any rights here."""
    let = []
    for db in (old_db, new_db):
        _prepare(db, role)
        let.append([(sql, _is_let(observe(db, sql))) for sql in BY_ROLE])
    assert let[1] == let[0]


def _prepare(db, role):
    db.query("select pgq.create_queue('q')")
    db.execute("create table watched (id int)")
    db.execute("grant insert on watched to public")
    db.execute(
        "create trigger tr after insert on watched for each row execute function pgq.logutriga('q')"
    )
    db.query("select pgq.register_consumer('q', 'c'), pgq.insert_event('q', 't', 'd')")
    db.query("select pgq.force_tick('q')")
    db.query("select pgq.ticker('q')")
    db.query("select pgq.next_batch('q', 'c')")
    db.execute(f"set session authorization {role}")


def _is_let(outcome):
    if isinstance(outcome, Failure):
        assert "permission denied" in outcome.text or "must be owner" in outcome.text, outcome
        return False
    return True


# Calls that clients make with untyped literals: a new overload must not make one ambiguous.
UNTYPED = (
    "select pgq.insert_event('q', 't', 'd')",
    "select pgq.insert_event('q', 't', 'd', '1', '2', '3', '4')",
    "select pgq.insert_event('q', null, null, null, null, null, null)",
    "select pgq.register_consumer_at('q', 'c', '1')",
    "select pgq.event_retry('1', '1', 1)",
    "select pgq.event_retry(1, 1, '1')",
    "select pgq.batch_retry('1', '1')",
    "select pgq.next_batch_custom('q', 'c', '1 s', '1', '1 s')",
    "select pgq.get_batch_cursor('1', 'c', '1', '')",
    "select pgq.get_batch_cursor('1', 'c', '1')",
    "select pgq.finish_batch('1')",
    "select pgq.ticker('q', '1', '2020-01-01', '1')",
    "select pgq.get_queue_info('q')",
    "select pgq.get_consumer_info('q', 'c')",
    "select pgq.drop_queue('q', 'false')",
    "select pgq.set_queue_config('q', 'rotation_period', '1 hour')",
    "select pgq.unregister_consumer('q', 'c')",
    "select pgq.seq_setval('pgq.event_1_id_seq', '1')",
    "select pgq.event_retry_raw('q', 'c', '2020-01-01', '1', '2020-01-01', '1', 't', 'd', null,"
    " null, null, null)",
    "select pgq.insert_event_raw('q', '1', '2020-01-01', '1', '1', 't', 'd', null, null, null,"
    " null)",
)


def test_untyped_literals_choose_the_same_function(old_db, new_db):
    theirs, ours = ({call: _explained(db, call) for call in UNTYPED} for db in (old_db, new_db))
    assert ours == theirs


def _explained(db, call):
    """Return the call with the types that it is resolved to."""
    plan = db.query(f"explain (verbose, costs off) {call}")
    return [line for (line,) in plan if "Output" in line or "Call" in line]
