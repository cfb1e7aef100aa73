#! /usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A consumer in the style of python3-pgq 3.x: runs unchanged. `python watcher.py watcher.ini`."""

import sys

import pgq


class Watcher(pgq.Consumer):
    """Notes events in a table of the queue's own database.

    Config template::

        # libpq connect string of the queue's database
        watch_db = dbname=app

        # table to write to
        #target = seen
    """

    def reload(self):
        """Read a key of our own."""
        super().reload()
        self.target = self.cf.get("target", "seen")

    def process_event(self, db, ev):
        """Note an event, in the transaction of the batch."""
        if ev.type == "later" and not ev.retry:
            ev.tag_retry(0)
            return
        curs = db.cursor()
        curs.execute(
            f"insert into {self.target} (id, kind, data) values (%s, %s, %s)",
            [ev.ev_id, ev["ev_type"], ev.data],
        )
        ev.tag_done()
        self.stat_increase("noted")


if __name__ == "__main__":
    script = Watcher("watcher", "watch_db", sys.argv[1:])
    script.start()
