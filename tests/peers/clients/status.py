# SPDX-License-Identifier: ISC
"""Prints what python3-pgq has to say of a database:  status.py INI, key `db`."""

import sys

import pgq

pgq.PGQStatus(sys.argv[1:])
