# SPDX-License-Identifier: ISC
"""The demo: a TPC-B load carried exactly once from one server to another. Run it by `make demo`."""
