# SPDX-License-Identifier: ISC
"""Whether two nodes have the same rows: compare, repair, audit."""
