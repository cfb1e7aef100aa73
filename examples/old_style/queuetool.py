#! /usr/bin/env python3
# SPDX-License-Identifier: ISC
"""An admin script in the style of Skytools 3: `queuetool.py queuetool.ini COMMAND [ARG...]`."""

import sys

import skytools


class QueueTool(skytools.AdminScript):
    """Lists and adds queues."""

    commands_without_pidfile = ("queues",)

    def cmd_queues(self):
        """List the queues."""
        db = self.get_database("db", autocommit=1)
        sql = "select queue_name, ev_new from pgq.get_queue_info()"
        if not self.display_table(db, "Queues", sql):
            print("no queues")

    def cmd_add_queue(self, name, rotation="2 hours"):
        """Add a queue."""
        db = self.get_database("db")
        self.exec_query(db, "select pgq.create_queue(%s)", [name])
        args = [name, "rotation_period", rotation]
        self.exec_query(db, "select pgq.set_queue_config(%s, %s, %s)", args)
        print(f"added {name}")


if __name__ == "__main__":
    script = QueueTool("queuetool", sys.argv[1:])
    script.start()
