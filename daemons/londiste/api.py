# SPDX-License-Identifier: ISC
"""One typed function for each SQL function of the schema londiste. None of them commits.

Those that answer with ret_code and ret_note raise SkytoolsError for codes from 400. FUNCTIONS
lists names and types of arguments as the server must have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote_plus

from skytools.core.db import Database, Row
from skytools.pgq.node import check

FUNCTIONS: dict[str, tuple[str, ...]] = {}


class Answer(NamedTuple):
    """What a function says: 1xx nothing to tell, 2xx done, 3xx done with a warning."""

    code: int
    note: str


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table of the set. `name` is that on the queue, `dest` the one in this database.

    `state` and `snapshot` as they are stored, None where there is none; states.py reads them.
    `copy_role` and `copy_pos` say what a copy may do that others of a merge wait for.
    """

    name: str
    local: bool = True
    state: str | None = None
    snapshot: str | None = None
    attrs: dict[str, str] = field(default_factory=dict)
    dropped_ddl: str | None = None
    copy_role: str | None = None
    copy_pos: int = 0
    dest: str = ""

    def __post_init__(self) -> None:
        if not self.dest:
            object.__setattr__(self, "dest", self.name)

    @property
    def settled(self) -> bool:
        """Whether all events of the table are for the worker: none is for, or is in, a copy."""
        return self.state in ("ok", "?") and self.snapshot is None


@dataclass(frozen=True, slots=True)
class SeqInfo:
    """A sequence of the set, and the value up to which it may have been used anywhere."""

    name: str
    last_value: int
    local: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key that was dropped for a copy, or is about to be."""

    from_table: str
    to_table: str
    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A table (r) or sequence (S) that could be added."""

    kind: str
    name: str


def _call(name: str, *types: str) -> str:
    """Note a function and return the statement that calls it."""
    FUNCTIONS[f"{name}/{len(types)}"] = types
    args = ", ".join(f"%s::{kind}" for kind in types)
    return f"select * from londiste.{name}({args})"  # names from this file only


_TABLES = _call("get_table_list", "text")
_SEQS = _call("get_seq_list", "text")
_SET_STATE = _call("local_set_table_state", "text", "text", "text", "text")
_SET_ATTRS = _call("local_set_table_attrs", "text", "text", "text")
_SET_STRUCT = _call("local_set_table_struct", "text", "text", "text")
_ADD_TABLE = _call("local_add_table", "text", "text", "text[]", "text", "text")
_REMOVE_TABLE = _call("local_remove_table", "text", "text")
_CHANGE_HANDLER = _call("local_change_handler", "text", "text", "text[]", "text")
_ADD_SEQ = _call("local_add_seq", "text", "text")
_REMOVE_SEQ = _call("local_remove_seq", "text", "text")
_MISSING = _call("local_show_missing", "text")
_GLOBAL_ADD_TABLE = _call("global_add_table", "text", "text")
_GLOBAL_REMOVE_TABLE = _call("global_remove_table", "text", "text")
_GLOBAL_UPDATE_SEQ = _call("global_update_seq", "text", "text", "int8")
_GLOBAL_REMOVE_SEQ = _call("global_remove_seq", "text", "text")
_TABLE_FKEYS = _call("find_table_fkeys", "text")
_VALID_FKEYS = _call("get_valid_pending_fkeys", "text")
_DROP_FKEY = _call("drop_table_fkey", "text", "text")
_RESTORE_FKEY = _call("restore_table_fkey", "text", "text", "bool")
_EXECUTE_START = _call("execute_start", "text", "text", "text", "bool", "text")
_EXECUTE_FINISH = _call("execute_finish", "text", "text")
_CHECK_SEQS = _call("root_check_seqs", "text")
_CHECK_SEQS_BUFFER = _call("root_check_seqs", "text", "int8")
_SET_ROLE = _call("set_session_replication_role", "text", "bool")
_VERSION = _call("version")
_CREATE_PARTITION = _call("create_partition", "text", "text", "text", "text", "timestamptz", "text")
_IS_OBSOLETE = _call("is_obsolete_partition", "text", "interval", "text")
_DROP_PARTITIONS = _call("drop_obsolete_partitions", "text", "interval", "text")


_TABLE_COLUMNS = _TABLES.replace(
    "*",
    "table_name, local, merge_state, custom_snapshot, table_attrs, dropped_ddl, copy_role,"
    " copy_pos, dest_table",
    1,
)


def _do(db: Database, statement: str, *args: Any) -> Answer:
    row = db.query_one(statement, args)
    check(row)
    assert row is not None
    return Answer(row[0], row[1])


_MERGED_WITH = """select t.queue_name
      from londiste.table_info t join pgq_node.node_info n using (queue_name)
     where t.local and n.node_type <> 'root' and t.queue_name <> %s
       and coalesce(t.dest_table, t.table_name) = %s
     order by 1"""
_KNOWS_SEQ = """select exists (select 1 from londiste.seq_info
    where queue_name = %s and seq_name = %s)"""
# A row that is changed gets another number and another place.
_TABLES_VERSION = """select md5(coalesce(string_agg(xmin::text || ctid::text, ',' order by nr), ''))
    from londiste.table_info where queue_name = %s"""


# attributes, as logutriga writes rows: a key without "=" is one without a value


def decode_attrs(text: str | None) -> dict[str, str]:
    """Read the attributes of a table. The old name of `handler` is translated."""
    found = dict(parse_qsl(text or "", keep_blank_values=True))
    if "handlers" in found:
        found.setdefault("handler", found.pop("handlers"))
    return found


def encode_attrs(attrs: Mapping[str, str]) -> str | None:
    """Return attributes as they are stored; None when there are none."""
    parts = [f"{quote_plus(key)}={quote_plus(value)}" for key, value in attrs.items()]
    return "&".join(parts) or None


# tables


def _table(row: Row) -> TableInfo:
    name, local, state, snapshot, attrs, ddl, role, position, dest = row
    return TableInfo(
        name=name,
        local=local,
        state=state,
        snapshot=snapshot,
        attrs=decode_attrs(attrs),
        dropped_ddl=ddl,
        copy_role=role,
        copy_pos=position or 0,
        dest=dest or "",
    )


def merged_with(db: Database, queue: str, dest: str) -> list[str]:
    """Return the other queues whose rows come into the same table."""
    return [row[0] for row in db.query(_MERGED_WITH, (queue, dest))]


def tables(db: Database, queue: str) -> list[TableInfo]:
    """Return the tables of the set as this node sees them, in the order they were added."""
    return [_table(row) for row in db.query(_TABLE_COLUMNS, (queue,))]


def table(db: Database, queue: str, name: str) -> TableInfo | None:
    """Return a table of the set as this node sees it; None: there is none of that name."""
    row = db.query_one(f"{_TABLE_COLUMNS} where table_name = %s", (queue, name))
    return None if row is None else _table(row)


SYNC_CHANNEL = "londiste_sync"


def announce_sync(db: Database, queue: str, table: str) -> None:
    """Wake the worker, and the copies of the table, when the transaction commits."""
    db.value("select pg_notify(%s, %s)", (SYNC_CHANNEL, sync_payload(queue, table)))


def sync_payload(queue: str, table: str) -> str:
    """Return what announce_sync() sends."""
    return f"{queue} {table}"


def tables_version(db: Database, queue: str) -> str:
    """Return a text that is another one as soon as a table of the set has changed."""
    text: str = db.value(_TABLES_VERSION, (queue,))
    return text


def set_table_state(
    db: Database, queue: str, table: str, snapshot: str | None, state: str | None
) -> Answer:
    """Change how far the copy of a table is. The worker hears of it at the commit."""
    answer = _do(db, _SET_STATE, queue, table, snapshot, state)
    announce_sync(db, queue, table)
    return answer


def set_table_attrs(db: Database, queue: str, table: str, attrs: Mapping[str, str]) -> Answer:
    """Change the attributes of a table."""
    return _do(db, _SET_ATTRS, queue, table, encode_attrs(attrs))


def set_table_struct(db: Database, queue: str, table: str, ddl: str | None) -> Answer:
    """Keep what was dropped from a table for its copy; None: all of it is back."""
    return _do(db, _SET_STRUCT, queue, table, ddl)


def add_table(
    db: Database,
    queue: str,
    table: str,
    args: Sequence[str] = (),
    attrs: Mapping[str, str] | None = None,
    *,
    dest: str | None = None,
) -> Answer:
    """Subscribe this node to a table; on the root: publish it. `args` are for the trigger.

    The worker hears of it when the transaction commits.
    """
    encoded = encode_attrs(attrs or {})
    answer = _do(db, _ADD_TABLE, queue, table, list(args), encoded, dest)
    announce_sync(db, queue, table)
    return answer


def remove_table(db: Database, queue: str, table: str) -> Answer:
    """Unsubscribe this node from a table; on the root: remove it from the set."""
    return _do(db, _REMOVE_TABLE, queue, table)


def change_handler(
    db: Database, queue: str, table: str, args: Sequence[str], attrs: Mapping[str, str]
) -> Answer:
    """Change attributes and make the trigger anew."""
    return _do(db, _CHANGE_HANDLER, queue, table, list(args), encode_attrs(attrs))


def show_missing(db: Database, queue: str) -> list[Missing]:
    """Return what this node could be subscribed to; on the root: what could be published."""
    return [Missing(*row) for row in db.query(_MISSING, (queue,))]


def global_add_table(db: Database, queue: str, table: str) -> Answer:
    """Note that the set has a table; done by the worker for an event."""
    return _do(db, _GLOBAL_ADD_TABLE, queue, table)


def global_remove_table(db: Database, queue: str, table: str) -> Answer:
    """Note that the set has a table no more. Its data stay."""
    return _do(db, _GLOBAL_REMOVE_TABLE, queue, table)


# sequences


def sequences(db: Database, queue: str) -> list[SeqInfo]:
    """Return the sequences of the set."""
    columns = "seq_name, last_value, local"
    return [SeqInfo(*row) for row in db.query(_SEQS.replace("*", columns, 1), (queue,))]


def knows_seq(db: Database, queue: str, seq: str) -> bool:
    """Tell whether a sequence of the set is known here."""
    return db.value(_KNOWS_SEQ, (queue, seq)) is True


def add_seq(db: Database, queue: str, seq: str) -> Answer:
    """Subscribe this node to a sequence; on the root: publish it."""
    return _do(db, _ADD_SEQ, queue, seq)


def remove_seq(db: Database, queue: str, seq: str) -> Answer:
    """Unsubscribe this node from a sequence; on the root: remove it from the set."""
    return _do(db, _REMOVE_SEQ, queue, seq)


def global_update_seq(db: Database, queue: str, seq: str, value: int) -> Answer:
    """Note how far a sequence may have been used; moves it here when it is local."""
    return _do(db, _GLOBAL_UPDATE_SEQ, queue, seq, value)


def global_remove_seq(db: Database, queue: str, seq: str) -> Answer:
    """Note that the set has a sequence no more."""
    return _do(db, _GLOBAL_REMOVE_SEQ, queue, seq)


def root_check_seqs(db: Database, queue: str, buffer: int | None = None) -> Answer:
    """Publish the sequences that come near to what was published before. Root only."""
    if buffer is None:
        return _do(db, _CHECK_SEQS, queue)
    return _do(db, _CHECK_SEQS_BUFFER, queue, buffer)


# foreign keys

_FKEY_COLUMNS = "from_table, to_table, fkey_name, fkey_def"


def _fkeys(db: Database, statement: str, name: str) -> list[ForeignKey]:
    rows = db.query(statement.replace("*", _FKEY_COLUMNS, 1), (name,))
    return [ForeignKey(*row) for row in rows]


def find_table_fkeys(db: Database, table: str) -> list[ForeignKey]:
    """Return the foreign keys from and to a table that are there now."""
    return _fkeys(db, _TABLE_FKEYS, table)


def valid_pending_fkeys(db: Database, queue: str) -> list[ForeignKey]:
    """Return the dropped foreign keys whose both tables are in sync, for this queue to restore."""
    return _fkeys(db, _VALID_FKEYS, queue)


def drop_table_fkey(db: Database, table: str, fkey: str) -> bool:
    """Drop a foreign key and remember it; false when it is not there."""
    return bool(db.value(_DROP_FKEY, (table, fkey)))


def restore_table_fkey(db: Database, table: str, fkey: str, *, lazy: bool = False) -> str:
    """Create a dropped foreign key.

    `lazy` returns the next statement to run instead, an empty text when all is done.
    """
    return str(db.value(_RESTORE_FKEY, (table, fkey, lazy)) or "")


# execute


def execute_start(
    db: Database, queue: str, name: str, text: str, *, root: bool, attrs: str | None
) -> Answer:
    """Note that a script is about to run. Code 201: it has been run here before, leave it out."""
    return _do(db, _EXECUTE_START, queue, name, text, root, attrs)


def execute_finish(db: Database, queue: str, name: str) -> Answer:
    """Note that a script has run; on the root: send it to all."""
    return _do(db, _EXECUTE_FINISH, queue, name)


# the rest


def set_replication_role(db: Database, role: str, *, local: bool) -> None:
    """Set session_replication_role, for the transaction when `local`, without being superuser."""
    db.value(_SET_ROLE, (role, local))


def create_partition(
    db: Database, parent: str, part: str, *, keys: str, part_field: str, part_time: str, period: str
) -> bool:
    """Create a partition by inheritance; false when it is there."""
    return bool(db.value(_CREATE_PARTITION, (parent, part, keys, part_field, part_time, period)))


def is_obsolete_partition(db: Database, part: str, keep: str, period: str) -> bool:
    """Tell whether a partition is older than `keep`, by its name; there need not be one."""
    return bool(db.value(_IS_OBSOLETE, (part, keep, period)))


def drop_obsolete_partitions(db: Database, parent: str, keep: str, period: str) -> list[str]:
    """Drop partitions that are older than `keep`; returns their names."""
    return [row[0] for row in db.query(_DROP_PARTITIONS, (parent, keep, period))]


def version(db: Database) -> str | None:
    """Return the version of the extension; None when it was loaded from a script."""
    text: str | None = db.value(_VERSION)
    return text
