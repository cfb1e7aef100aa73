# SPDX-License-Identifier: ISC
"""The doctor: faults by name, what each looks like in the database, what mends it."""
