# SPDX-License-Identifier: ISC
"""What scripts ask of a catalog, and statements made from rows. Source: skytools.sqltools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skytools.compat.copying import CopyPipe, full_copy, magic_insert
from skytools.compat.dbdict import dbdict
from skytools.compat.dbobjects import (
    DBFunction,
    DBLanguage,
    DBObject,
    DBSchema,
    DBTable,
    db_install,
    installer_apply_file,
    installer_find_file,
)
from skytools.compat.names import fq_name, fq_name_parts
from skytools.compat.quoting import quote_fqident, quote_ident, quote_literal

__all__ = [
    "CopyPipe",
    "DBFunction",
    "DBLanguage",
    "DBObject",
    "DBSchema",
    "DBTable",
    "Snapshot",
    "db_install",
    "dbdict",
    "exists_function",
    "exists_language",
    "exists_schema",
    "exists_sequence",
    "exists_table",
    "exists_temp_table",
    "exists_type",
    "exists_view",
    "fq_name",
    "fq_name_parts",
    "full_copy",
    "get_table_columns",
    "get_table_oid",
    "get_table_pkeys",
    "installer_apply_file",
    "installer_find_file",
    "magic_insert",
    "mk_delete_sql",
    "mk_insert_sql",
    "mk_update_sql",
]

_CLASS = """select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n
    on n.oid = c.relnamespace where n.nspname = %s and c.relname = %s"""


def get_table_oid(curs: Any, table_name: str) -> int:
    """Return the oid of a relation. Raises LookupError when there is none."""
    curs.execute(_CLASS, fq_name_parts(table_name))
    row = curs.fetchone()
    if row is None:
        raise LookupError(f"table {table_name} does not exist")
    oid: int = row[0]
    return oid


def get_table_pkeys(curs: Any, tbl: str) -> list[str]:
    """Return the columns of the primary key, in its order; none without a key."""
    curs.execute(
        """select a.attname from pg_catalog.pg_index i
           cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, place)
           join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
           where i.indrelid = %s and i.indisprimary and k.place <= i.indnkeyatts
           order by k.place""",
        (get_table_oid(curs, tbl),),
    )
    return [row[0] for row in curs.fetchall()]


def get_table_columns(curs: Any, tbl: str) -> list[str]:
    """Return the columns in the table's order."""
    curs.execute(
        """select attname from pg_catalog.pg_attribute
           where attrelid = %s and attnum > 0 and not attisdropped order by attnum""",
        (get_table_oid(curs, tbl),),
    )
    return [row[0] for row in curs.fetchall()]


def _count(curs: Any, sql: str, args: Sequence[Any]) -> int:
    curs.execute(sql, args)
    count: int = curs.fetchone()[0]
    return count


def _exists_class(curs: Any, name: str, kinds: str) -> int:
    return _count(
        curs,
        f"select count(1) from ({_CLASS} and c.relkind::text = any (%s)) found",  # noqa: S608 - a constant
        (*fq_name_parts(name), list(kinds)),
    )


def exists_schema(curs: Any, schema: str) -> int:
    """Return 1 when the schema exists, else 0."""
    sql = "select count(1) from pg_catalog.pg_namespace where nspname = %s"
    return _count(curs, sql, (schema,))


def exists_table(curs: Any, table_name: str) -> int:
    """Return 1 when the table exists (a partitioned one too), else 0."""
    return _exists_class(curs, table_name, "rp")


def exists_sequence(curs: Any, seq_name: str) -> int:
    """Return 1 when the sequence exists, else 0."""
    return _exists_class(curs, seq_name, "S")


def exists_view(curs: Any, view_name: str) -> int:
    """Return 1 when the view exists, else 0."""
    return _exists_class(curs, view_name, "v")


def exists_type(curs: Any, type_name: str) -> int:
    """Return 1 when the type exists, else 0."""
    return _count(
        curs,
        """select count(1) from pg_catalog.pg_type t join pg_catalog.pg_namespace n
           on n.oid = t.typnamespace where n.nspname = %s and t.typname = %s""",
        fq_name_parts(type_name),
    )


def exists_function(curs: Any, function_name: str, nargs: int) -> int:
    """Return how many functions of that name take that many arguments.

    A name without a schema is looked for in public, then in pg_catalog.
    """
    sql = """select count(1) from pg_catalog.pg_proc p join pg_catalog.pg_namespace n
             on n.oid = p.pronamespace
             where n.nspname = %s and p.proname = %s and p.pronargs = %s"""
    found = _count(curs, sql, (*fq_name_parts(function_name), nargs))
    if not found and "." not in function_name:
        found = _count(curs, sql, ("pg_catalog", function_name, nargs))
    return found


def exists_language(curs: Any, lang_name: str) -> int:
    """Return 1 when the language exists, else 0."""
    sql = "select count(1) from pg_catalog.pg_language where lanname = %s"
    return _count(curs, sql, (lang_name,))


def exists_temp_table(curs: Any, tbl: str) -> int:
    """Return 1 when this session has a temporary table of that name, else 0."""
    return _count(
        curs,
        """select count(1) from pg_catalog.pg_class
           where relnamespace = pg_catalog.pg_my_temp_schema() and relname = %s
             and relkind = 'r'""",
        (tbl,),
    )


class Snapshot:
    """A txid_snapshot: `xmin:xmax:xip,xip...`."""

    def __init__(self, str_val: str) -> None:
        self.sn_str = str_val
        xmin, xmax, running = str_val.split(":")
        self.xmin = int(xmin)
        self.xmax = int(xmax)
        self.txid_list = [int(txid) for txid in running.split(",") if txid]

    def contains(self, txid: int) -> bool:
        """Tell whether what that transaction did is visible."""
        txid = int(txid)
        if txid < self.xmin:
            return True
        return txid < self.xmax and txid not in self.txid_list


Row = Mapping[str, Any]
Map = Mapping[str, str]


def _pairs(row: Row, names: Sequence[str] | Mapping[str, Any], field_map: Map | None) -> list[str]:
    columns = field_map or {}
    return [f"{quote_ident(columns.get(n, n))} = {quote_literal(row[n])}" for n in names]


def _condition(row: Row, pkey_list: Sequence[str], field_map: Map | None) -> str:
    if not pkey_list:
        raise ValueError("the statement needs the columns of a primary key")
    return " and ".join(_pairs(row, pkey_list, field_map))


def mk_insert_sql(
    row: Row, tbl: str, pkey_list: Sequence[str] | None = None, field_map: Map | None = None
) -> str:
    """Return an INSERT of the row; `field_map` (row's name -> column) picks what goes in."""
    names = {name: name for name in row} if field_map is None else field_map
    columns = ", ".join(quote_ident(column) for column in names.values())
    values = ", ".join(quote_literal(row[name]) for name in names)
    return f"insert into {quote_fqident(tbl)} ({columns}) values ({values});"  # noqa: S608 # quoted


def mk_update_sql(
    row: Row, tbl: str, pkey_list: Sequence[str], field_map: Map | None = None
) -> str:
    """Return an UPDATE ONLY by primary key. Raises ValueError without one."""
    where = _condition(row, pkey_list, field_map)
    names = [name for name in (row if field_map is None else field_map) if name not in pkey_list]
    changes = ", ".join(_pairs(row, names, field_map))
    return f"update only {quote_fqident(tbl)} set {changes} where {where};"  # noqa: S608 # quoted


def mk_delete_sql(
    row: Row, tbl: str, pkey_list: Sequence[str], field_map: Map | None = None
) -> str:
    """Return a DELETE ONLY by primary key. Raises ValueError without one."""
    where = _condition(row, pkey_list, field_map)
    return f"delete from only {quote_fqident(tbl)} where {where};"  # noqa: S608 # quoted
