#! /usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A script for cron in the style of Skytools 3: one round of work, then it ends."""

import sys

import skytools


class Cleaner(skytools.DBScript):
    """Moves finished rows to an archive.

    Config template::

        db = dbname=app
        archive_db = dbname=archive
        table = public.task
        keep_days = 30
    """

    def startup(self):
        """Read the keys; one round only."""
        self.set_single_loop(1)
        self.table = self.cf.get("table")
        self.keep_days = self.cf.getint("keep_days", 30)

    def work(self):
        """Move what is old enough."""
        src_db = self.get_database("db")
        dst_db = self.get_database("archive_db")
        src, dst = src_db.cursor(), dst_db.cursor()
        table = skytools.quote_fqident(self.table)
        condition = f"done_at < now() - interval '{self.keep_days} days'"
        if not skytools.exists_table(dst, self.table):
            raise skytools.UsageError(f"no table {self.table} in archive_db")
        pkeys = skytools.get_table_pkeys(src, self.table)
        src.execute(f"select * from {table} where {condition} order by {', '.join(pkeys)}")
        rows = src.fetchall()
        skytools.magic_insert(dst, self.table, rows)
        for row in rows:
            src.execute(skytools.mk_delete_sql(row, self.table, pkeys))
        dst_db.commit()
        src_db.commit()
        self.stat_put("moved", len(rows))


if __name__ == "__main__":
    script = Cleaner("cleaner", sys.argv[1:])
    script.start()
