# SPDX-License-Identifier: ISC
"""The copy of one table: a process of its own, started and watched by the node's worker."""
