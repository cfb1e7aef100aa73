# SPDX-License-Identifier: ISC
"""Who owns a relation, and who may do what with it."""

from __future__ import annotations

from skytools.core.db import Database
from skytools.daemons.londiste.definitions.statement import Statement, bare
from skytools.daemons.londiste.names import quote_ident

_OWNER = "select pg_get_userbyid(relowner) from pg_class where oid = %s"
_GRANTS = """
select case when a.grantee = 0 then null else pg_get_userbyid(a.grantee) end, null::name,
       a.is_grantable, array_agg(a.privilege_type::text order by a.privilege_type)
  from pg_class c
 cross join aclexplode(c.relacl) a
 where c.oid = %s and a.grantee <> c.relowner
 group by 1, 3
 union all
select case when a.grantee = 0 then null else pg_get_userbyid(a.grantee) end, t.attname,
       a.is_grantable, array_agg(a.privilege_type::text order by a.privilege_type)
  from pg_attribute t
  join pg_class c on c.oid = t.attrelid
 cross join aclexplode(t.attacl) a
 where c.oid = %s and a.grantee <> c.relowner and not t.attisdropped
 group by 1, 2, 3
 order by 2 nulls first, 1 nulls first, 3"""


def owner(db: Database, oid: int, target: str) -> list[Statement]:
    """Return what gives the relation (`table x`) the owner that it has there."""
    name = quote_ident(db.value(_OWNER, (oid,)))
    return [Statement(f"alter {target} owner to {name}", f"owner {name}", optional=True)]


def grants(db: Database, oid: int, target: str) -> list[Statement]:
    """Return what gives others the privileges that they have there."""
    out = []
    for grantee, column, grantable, privileges in bare(db, _GRANTS, (oid, oid)):
        role = "public" if grantee is None else quote_ident(grantee)
        on = f" ({quote_ident(column)})" if column else ""
        listed = ", ".join(f"{privilege.lower()}{on}" for privilege in privileges)
        tail = " with grant option" if grantable else ""
        text = f"grant {listed} on {target} to {role}{tail}"
        out.append(Statement(text, f"grant to {role}", optional=True))
    return out
