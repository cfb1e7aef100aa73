# SPDX-License-Identifier: ISC
"""Londiste: replication of tables over a cascade of queues."""
