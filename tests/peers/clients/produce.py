# SPDX-License-Identifier: ISC
"""Produces events in the ways python3-pgq has:  produce.py CONNSTR QUEUE."""

import sys

import psycopg2

import pgq

conn = psycopg2.connect(sys.argv[1])
curs = conn.cursor()
pgq.insert_event(curs, sys.argv[2], "t", "single", "extra")
rows = [["2024-02-29 12:00+00", "t", f"bulk{n}"] for n in range(5)]
pgq.bulk_insert_events(curs, rows, ["time", "type", "data"], sys.argv[2])
conn.commit()
