# SPDX-License-Identifier: ISC
"""Rows into tables by COPY, and tables into tables. Source: skytools.sqltools of Skytools 3."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skytools.compat.quoting import quote_copy, quote_fqident, quote_ident, quote_literal

Data = Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]]
WriteHook = Callable[["CopyPipe", str], str]
FlushHook = Callable[["CopyPipe"], None]


def magic_insert(  # noqa: PLR0917 - as scripts call it
    curs: Any,
    tablename: str,
    data: Data,
    fields: Sequence[str] | None = None,
    use_insert: bool = False,
    quoted_table: bool = False,
) -> str | None:
    """Put rows, dicts or sequences, into a table by COPY or by INSERTs.

    `fields` picks the columns; dicts may do without. What a row lacks is NULL. Without a
    cursor the SQL is returned. No data: nothing is done.
    """
    if not data:
        return None
    if fields is None:
        if not isinstance(data[0], Mapping) and not hasattr(data[0], "keys"):
            raise ValueError(f"{tablename}: rows without names need `fields`")
        fields = list(data[0].keys())
    table = tablename if quoted_table else quote_fqident(tablename)
    rows = [_values(row, fields) for row in data]
    columns = ",".join(quote_ident(field) for field in fields)
    if use_insert:
        return _inserts(curs, table, columns, rows)
    lines = "".join("\t".join(map(quote_copy, row)) + "\n" for row in rows)
    head = f"COPY {table} ({columns}) FROM STDIN"
    if curs is None:
        return f"{head};\n{lines}\\.\n"
    curs.copy_expert(head, io.StringIO(lines))
    return None


def _values(row: Any, fields: Sequence[str]) -> list[Any]:
    if hasattr(row, "keys"):
        return [row[field] if field in row else None for field in fields]  # noqa: SIM401
    values = list(row)[: len(fields)]
    return values + [None] * (len(fields) - len(values))


def _inserts(curs: Any, table: str, columns: str, rows: list[list[Any]]) -> str | None:
    head = f"insert into {table} ({columns}) values "  # noqa: S608 # quoted
    lines = [head + "(" + ",".join(map(quote_literal, row)) + ");\n" for row in rows]
    if curs is None:
        return "".join(lines)
    for line in lines:
        curs.execute(line)
    return None


class CopyPipe(io.TextIOBase):
    """A file to write COPY data to, sent to the server in portions of about `limit` bytes.

    write_hook(pipe, data) -> data and flush_hook(pipe) are called on the way.
    """

    def __init__(
        self,
        dstcurs: Any,
        tablename: str | None = None,
        limit: int = 512 * 1024,
        sql_from: str | None = None,
    ) -> None:
        super().__init__()
        if sql_from is None and tablename is None:
            raise ValueError("CopyPipe needs tablename or sql_from")
        self.tablename = tablename
        self.sql_from = sql_from or f"copy {quote_fqident(tablename or '')} from stdin"
        self.dstcurs = dstcurs
        self.buf = io.StringIO()
        self.limit = limit
        self.total_rows = 0
        self.total_bytes = 0
        self.write_hook: WriteHook | None = None
        self.flush_hook: FlushHook | None = None

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: str | bytes) -> int:
        """Take data, which may end inside a row."""
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        self.total_bytes += len(text)
        self.total_rows += text.count("\n")
        if self.write_hook is not None:
            text = self.write_hook(self, text)
        self.buf.write(text)
        if self.buf.tell() > self.limit:
            self._send(whole_rows=True)
        return len(data)

    def flush(self) -> None:
        """Send all that was written."""
        if self.buf.tell() > 0:
            self._send(whole_rows=False)

    def _send(self, *, whole_rows: bool) -> None:
        if self.flush_hook is not None:
            self.flush_hook(self)
        text = self.buf.getvalue()
        end = text.rfind("\n") + 1 if whole_rows else len(text)
        self.buf = io.StringIO()
        self.buf.write(text[end:])
        if end:
            self.dstcurs.copy_expert(self.sql_from, io.StringIO(text[:end]))


def full_copy(  # noqa: PLR0917 - as scripts call it
    tablename: str,
    src_curs: Any,
    dst_curs: Any,
    column_list: Sequence[str] = (),
    condition: str | None = None,
    dst_tablename: str | None = None,
    dst_column_list: Sequence[str] | None = None,
    write_hook: WriteHook | None = None,
    flush_hook: FlushHook | None = None,
) -> tuple[int, int]:
    """Copy rows of a table from one cursor to another; returns (bytes, rows).

    `condition` is SQL and leaves child tables out.
    """
    target_columns = column_list if dst_column_list is None else dst_column_list
    source = quote_fqident(tablename)
    target = quote_fqident(dst_tablename or tablename)
    names = ", ".join(quote_ident(name) for name in column_list)
    if condition:
        what = f"(select {names or '*'} from only {source} where {condition})"  # noqa: S608
    else:
        what = source + (f" ({names})" if names else "")
    into = ", ".join(quote_ident(name) for name in target_columns)
    pipe = CopyPipe(dst_curs, sql_from=f"copy {target}{f' ({into})' if into else ''} from stdin")
    pipe.tablename = dst_tablename or tablename
    pipe.write_hook, pipe.flush_hook = write_hook, flush_hook
    src_curs.copy_expert(f"copy {what} to stdout", pipe)
    pipe.flush()
    return pipe.total_bytes, pipe.total_rows
