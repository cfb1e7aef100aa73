# SPDX-License-Identifier: ISC
"""Faults of the installation: extensions, functions, roles, settings, disk."""

from __future__ import annotations

import os
from collections.abc import Iterator

import skytools
from skytools.core.errors import SkytoolsError
from skytools.daemons.qadmin.doctor.checks import Check, Look, Rows

OURS = ("pgq", "pgq_ext", "pgq_node", "pgq_coop", "londiste")
GIB = 1 << 30


def _missing(look: Look) -> Rows:
    if "pgq" not in look.extensions:
        yield "database", "there is no schema pgq", None, "install pgq;"


def _old(look: Look) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Compare with what the library needs: functions of its own version."""
    wanted = ".".join(skytools.__version__.split(".")[:2])
    rows = look.db.query(
        """select e.extname, e.extversion, a.default_version
             from pg_extension e join pg_available_extensions a on a.name = e.extname
            where e.extname = any (%s)""",
        (list(OURS),),
    )
    default = {row[0]: row[2] for row in rows}
    installed = {row[0]: row[1] for row in rows}
    for name, version in look.extensions.items():
        if _number(version) >= _number(wanted):
            continue
        seen = f"is {version}, and this Skytools {skytools.__version__} wants {wanted}"
        if name not in installed:
            advice = f"it was loaded by a script: load the {name}.sql of {wanted}"
            yield name, seen, advice, None
        elif _number(default[name]) >= _number(wanted):
            yield name, seen, None, f"alter extension {name} update;"
        else:
            advice = f"install {name} {wanted} on the server; then alter extension {name} update;"
            yield name, seen, advice, None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _disk(look: Look) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Look at the disk, where the server's is ours too."""
    row = look.db.query_one(
        "select current_setting('data_directory', true), inet_server_addr() is null"
    )
    if row is None or not row[0] or not row[1]:
        raise SkytoolsError("the server is on another host, or hides where its data is")
    try:
        found = os.statvfs(row[0])
    except OSError as exc:
        raise SkytoolsError(f"{row[0]}: {exc.strerror}") from exc
    percent = 100.0 * found.f_bavail / max(found.f_blocks, 1)
    if percent < look.free:
        size = found.f_bavail * found.f_frsize / GIB
        seen = f"{percent:.0f}% ({size:.1f} GiB) are free where {row[0]} is"
        yield "disk", seen, "make room: look for consumers and slots that hold something back", None


_REPLACED = """
    with ours as (
        select p.oid, p.proname, p.probin, l.lanname,
               exists (select 1 from pg_depend d join pg_extension e on e.oid = d.refobjid
                        where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                          and d.deptype = 'e' and e.extname = 'pgq') as member
          from pg_proc p join pg_language l on l.oid = p.prolang
         where p.pronamespace = 'pgq'::regnamespace)
    select o.oid::regprocedure::text,
           case when not o.member then 'is not part of the extension: somebody has made it anew'
                else 'is written in ' || o.lanname || ', unlike the others of the extension' end,
           'take the change back; to have all functions of the extension again, dump the queues,'
           ' drop the extension, create it and restore them, or load pgq.sql',
           null
      from ours o
     where exists (select 1 from pg_extension where extname = 'pgq')
       and (not o.member
            or (o.proname in ('insert_event_raw', 'insert_event', 'logutriga', 'sqltriga',
                              'jsontriga')
                and o.lanname <> 'c'
                and exists (select 1 from pg_extension
                             where extname = 'pgq' and extversion not like '3.%%')))
     order by 1"""

_ROLES = """
    select r.name, 'the role is missing', null,
           'select pgq.upgrade_schema(); create role ' || r.name
                || '; grant execute on all functions'
           ' in schema pgq to ' || r.name || ';'
      from unnest(array['pgq_reader', 'pgq_writer', 'pgq_admin']) r (name)
     where not exists (select 1 from pg_roles where rolname = r.name)
     union all
    select 'pgq_admin', 'is no member of ' || m.name, null, 'grant ' || m.name || ' to pgq_admin;'
      from unnest(array['pgq_reader', 'pgq_writer']) m (name)
     where exists (select 1 from pg_roles where rolname = 'pgq_admin')
       and exists (select 1 from pg_roles where rolname = m.name)
       and not pg_has_role('pgq_admin', m.name, 'usage')"""

_GRANTS = """
    select w.role, 'may not execute ' || w.function, null,
           'grant execute on function ' || w.function || ' to ' || w.role || ';'
      from (values
               ('pgq_reader', 'pgq.next_batch_custom(text,text,interval,integer,interval)'),
               ('pgq_reader', 'pgq.finish_batch(bigint)'),
               ('pgq_reader', 'pgq.register_consumer(text,text)'),
               ('pgq_writer', 'pgq.insert_event(text,text,text)'),
               ('pgq_admin', 'pgq.ticker()'),
               ('pgq_admin', 'pgq.create_queue(text)')) w (role, function)
     where exists (select 1 from pg_roles where rolname = w.role)
       and to_regprocedure(w.function) is not null
       and not has_function_privilege(w.role, w.function, 'execute')"""

# A setting may be kept for a role, a database, a role in one database, and in the server's files.
_ROLE_SETTING = """
    select coalesce('role ' || r.rolname, 'database ' || d.datname),
           'has session_replication_role = replica: triggers do not fire, so no events are made',
           null,
           case when s.setrole = 0 then format('alter database %%I', d.datname)
                when s.setdatabase = 0 then format('alter role %%I', r.rolname)
                else format('alter role %%I in database %%I', r.rolname, d.datname) end
               || ' reset session_replication_role;'
      from pg_db_role_setting s
      left join pg_roles r on r.oid = s.setrole
      left join pg_database d on d.oid = s.setdatabase
     where 'session_replication_role=replica' = any (s.setconfig)
       and (s.setdatabase = 0 or d.datname = current_database())
     union all
    select 'server', 'has session_replication_role = ' || reset_val || ' in its configuration',
         null,
           'alter system reset session_replication_role; select pg_reload_conf();'
      from pg_settings
     where name = 'session_replication_role' and reset_val <> 'origin'
       and source = 'configuration file'"""

CHECKS = (
    Check("pgq-missing", "the database has no PgQ", "", _missing),
    Check("extension-old", "an extension is older than this Skytools", "pgq", _old),
    Check(
        "functions-replaced", "functions of pgq are not those of the extension", "pgq", _REPLACED
    ),
    Check("roles-wrong", "the roles of pgq are missing or not connected", "pgq", _ROLES),
    Check("grants-missing", "a role of pgq may not do what it is for", "pgq", _GRANTS),
    Check("replication-role", "triggers are switched off by a setting", "", _ROLE_SETTING),
    Check("disk-full", "the server's disk is nearly full", "", _disk),
)
