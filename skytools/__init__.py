# SPDX-License-Identifier: ISC
"""Skytools: queueing, replication and WAL standby management for PostgreSQL."""

__version__ = "4.0.0"
