# SPDX-License-Identifier: ISC
"""Names with and without a schema."""

from __future__ import annotations


def fq_name_parts(tbl: str) -> tuple[str, str]:
    """Return (schema, name); without a schema it is public."""
    schema, dot, name = tbl.partition(".")
    return (schema, name) if dot else ("public", tbl)


def fq_name(tbl: str) -> str:
    """Return `schema.name`."""
    return ".".join(fq_name_parts(tbl))
