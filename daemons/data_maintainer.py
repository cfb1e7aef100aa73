# SPDX-License-Identifier: ISC
"""data_maintainer: runs a statement for each row of a query or a CSV file, gently."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from skytools.core.config import REQUIRED, DaemonConfig, option, settings
from skytools.core.db import Database, check_conninfo
from skytools.core.errors import SkytoolsError
from skytools.core.program import main as run_main
from skytools.core.service import AGAIN, Context, Daemon, Pause
from skytools.pgq.rows import Arguments, check_statement

log = logging.getLogger("skytools")

CURSOR = "data_maintainer"
# How long a throttle that only says yes makes us wait. Seconds.
THROTTLE = 30.0
REPORT = 10.0

Row = dict[str, Any]


def _db(what: str) -> Any:
    return option("", f"Where {what} is run: libpq connect string.", check=check_conninfo)


@settings
class MaintainerConfig(DaemonConfig):
    """Keys of data_maintainer."""

    dbread: str = _db("sql_get_pk_list")
    sql_get_pk_list: str = option(
        "", "Query for the rows to work on; needs dbread.",
        example="select id from queue_of_work order by id",
    )  # fmt: skip
    fileread: Path | None = option(
        None, "CSV file with the rows, instead of dbread; its first line names the columns."
    )
    csv_delimiter: str = option(",", "Between the fields of fileread.")
    csv_quotechar: str = option('"', "Around fields of fileread.")
    dbwrite: str = option(
        REQUIRED, "Where sql_modify is run: libpq connect string.", check=check_conninfo,
        example="dbname=shop",
    )  # fmt: skip
    sql_modify: str = option(
        REQUIRED,
        "Statement for each row; %(name)s (in the file: %%(name)s) is a column. A column"
        " `stats` of its result (a=1&b=2) is added to the counters.",
        check=check_statement,
        example="select archive_user(%%(id)s)",
    )
    dbbefore: str = _db("sql_before_run")
    sql_before_run: str = option(
        "", "Query before all; the columns of its one row are given to each statement.",
        check=check_statement,
    )  # fmt: skip
    dbafter: str = _db("sql_after_run")
    sql_after_run: str = option(
        "", "Statement after all, with the columns of the last row.", check=check_statement
    )
    after_zero_rows: bool = option(True, "Run sql_after_run when there were no rows, too.")
    dbcrash: str = _db("sql_on_crash")
    sql_on_crash: str = option(
        "", "Statement after a failure, with what is known.", check=check_statement
    )
    dbthrottle: str = _db("sql_throttle")
    sql_throttle: str = option(
        "", "Query asked before each block of rows: true: wait 30 s, a number: so many seconds, and"
        " ask again.",
    )  # fmt: skip
    with_hold: bool = option(
        True, "Read by a cursor WITH HOLD: no transaction is open in dbread meanwhile."
    )
    fetch_count: int = option(100, "Rows of a block.", min=1, aliases=("fetchcnt",))
    autocommit: bool = option(True, "Commit each statement; off: commit each block.")
    commit_delay: float = option(0, "Pause after each commit.", unit="s", min=0)
    loop_delay: float = option(
        -1, "Run again after this pause; 0 or negative: run once and end.", unit="s"
    )
    connection_lifetime: float = option(
        1200, "Connect anew after this long; 0: never.", unit="s", min=0
    )

    def faults(self) -> list[tuple[str, str]]:
        """Check which keys belong together."""
        found = []
        if bool(self.dbread) == bool(self.fileread):
            found.append(("dbread", "set either dbread or fileread"))
        if bool(self.dbread) != bool(self.sql_get_pk_list):
            found.append(("sql_get_pk_list", "goes together with dbread"))
        found += [
            (key, "must be set") for key in ("dbwrite", "sql_modify") if not getattr(self, key)
        ]
        for key in ("before", "after", "crash", "throttle"):
            name = {"before": "before_run", "after": "after_run", "crash": "on_crash"}.get(key, key)
            if bool(getattr(self, f"db{key}")) != bool(getattr(self, f"sql_{name}")):
                found.append((f"sql_{name}", f"goes together with db{key}"))
        for key in ("csv_delimiter", "csv_quotechar"):
            if len(getattr(self, key)) != 1:
                found.append((key, "must be one character"))
        return found


class DataMaintainer(Daemon[MaintainerConfig]):
    """No consumer: what is worked on is whatever the query says, each time anew."""

    Config: ClassVar[type[DaemonConfig]] = MaintainerConfig
    service_name = "data_maintainer"
    description = "Run a statement for each row of a query or a CSV file, in small transactions."
    cfg: MaintainerConfig

    def __init__(self, ctx: Context, cfg: MaintainerConfig) -> None:
        super().__init__(ctx, cfg)
        self._rows = ctx.metrics.counter("skytools_maintainer_rows", "Rows that were worked on.")
        self._counts: Counter[str] = Counter()
        self._reported_at = ctx.clock.monotonic()

    def step(self) -> Pause:
        """Run once over all rows."""
        known: Row = {}
        try:
            self._run(known)
        except Exception:
            self._crashed(known)
            raise
        finally:
            self._report()
        if self.cfg.loop_delay <= 0:
            self.ctx.signals.stop = True
            return AGAIN
        return Pause(self.cfg.loop_delay)

    def _database(self, role: str) -> Database:
        cfg = self.cfg
        autocommit = {"read": cfg.with_hold, "write": cfg.autocommit}.get(role, True)
        conninfo: str = getattr(cfg, f"db{role}")
        return self.ctx.database(
            f"db{role}", conninfo, autocommit=autocommit, lifetime=cfg.connection_lifetime
        )

    def _run(self, known: Row) -> None:
        """Work on all rows; `known` is what before_run and the last row said."""
        if self.cfg.sql_before_run:
            known.update(self._one_row("before", self.cfg.sql_before_run, known))
        before = dict(known)
        count = 0
        for block in self._blocks():
            for row in block:
                known.clear()
                known.update({**before, **row})
                self._modify(known)
                count += 1
                if self.ctx.stopping:
                    break
            self._commit()
            if self.ctx.stopping:
                log.info("stopped after %d rows", count)
                return
        if self.cfg.sql_after_run and (count or self.cfg.after_zero_rows):
            self._one_row("after", self.cfg.sql_after_run, known)

    def _blocks(self) -> Iterator[list[Row]]:
        """Yield blocks of rows, each after the throttle has let it through."""
        rows = self._from_file(self.cfg.fileread) if self.cfg.fileread else self._from_query()
        while True:
            self._throttle()
            block = list(islice(rows, self.cfg.fetch_count))
            if not block:
                return
            yield block

    def _from_file(self, path: Path) -> Iterator[Row]:
        cfg = self.cfg
        try:
            with path.open(encoding="utf-8", newline="") as file:
                yield from csv.DictReader(
                    file, delimiter=cfg.csv_delimiter, quotechar=cfg.csv_quotechar, strict=True
                )
        except (OSError, UnicodeDecodeError, csv.Error) as exc:
            raise SkytoolsError(f"fileread {path}: {exc}") from exc

    def _from_query(self) -> Iterator[Row]:
        db = self._database("read")
        hold = "with hold" if self.cfg.with_hold else ""
        if db.connected and self.cfg.with_hold:
            db.close()  # and with it the cursor of a run that failed
        db.execute(
            f"declare {CURSOR} no scroll cursor {hold} for {self.cfg.sql_get_pk_list}"
        ).close()
        while True:
            with db.execute(f"fetch {self.cfg.fetch_count:d} from {CURSOR}") as cursor:
                names = [column.name for column in cursor.description or ()]
                rows = cursor.fetchall()
            if not rows:
                break
            yield from (dict(zip(names, row, strict=True)) for row in rows)
        db.execute(f"close {CURSOR}").close()
        db.commit()

    def _modify(self, row: Row) -> None:
        weight = _whole(row.get("cnt"), 1)
        with self._database("write").execute(self.cfg.sql_modify, Arguments(row)) as cursor:
            self._counts["count"] += weight
            self._rows.inc(weight)
            if cursor.description is not None:
                names = [column.name for column in cursor.description]
                for result in cursor.fetchall():
                    self._add_stats(dict(zip(names, result, strict=True)).get("stats"))
        if self.cfg.autocommit:
            self._pause_after_commit()

    def _add_stats(self, text: object) -> None:
        for key, value in parse_qsl(str(text or "")):
            self._counts[key] += _whole(value, 0)

    def _commit(self) -> None:
        if not self.cfg.autocommit:
            self._database("write").commit()
            self._pause_after_commit()
        self.ctx.notify.watchdog()
        if self.ctx.clock.monotonic() - self._reported_at >= REPORT:
            self._report()

    def _pause_after_commit(self) -> None:
        if self.cfg.commit_delay:
            self.ctx.wait(self.cfg.commit_delay)

    def _throttle(self) -> None:
        """Wait as long as sql_throttle says."""
        while self.cfg.sql_throttle and not self.ctx.stopping:
            value = self._database("throttle").value(self.cfg.sql_throttle)
            seconds = THROTTLE if value is True else float(value or 0)
            if seconds <= 0:
                return
            self.ctx.notify.watchdog()
            self.ctx.notify.status(f"throttled for {seconds:g} s")
            self._counts["throttle"] += 1
            self.ctx.wait(seconds)

    def _one_row(self, role: str, query: str, known: Row) -> Row:
        with self._database(role).execute(query, Arguments(known)) as cursor:
            if cursor.description is None:
                return {}
            names = [column.name for column in cursor.description]
            rows = cursor.fetchall()
        if len(rows) > 1 and role == "before":
            raise SkytoolsError(f"sql_before_run gave {len(rows)} rows; one is expected")
        return dict(zip(names, rows[0], strict=True)) if rows else {}

    def _crashed(self, known: Row) -> None:
        """Run sql_on_crash; that it fails too is only told."""
        if not self.cfg.sql_on_crash:
            return
        try:
            self._one_row("crash", self.cfg.sql_on_crash, known)
        except SkytoolsError as exc:
            log.error("sql_on_crash failed too: %s", exc)

    def _report(self) -> None:
        self._reported_at = self.ctx.clock.monotonic()
        told = ", ".join(f"{key}: {value}" for key, value in sorted(self._counts.items()))
        if told:
            log.info("{%s}", told)
        self._counts.clear()


def _whole(value: object, default: int) -> int:
    try:
        return int(str(value))
    except ValueError:
        return default


def main() -> None:
    """Run data_maintainer as a program."""
    run_main(DataMaintainer)
