# SPDX-License-Identifier: ISC
"""Which of our modules a name of Skytools 3 leads to."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import types

# Module of skytools.compat -> public names that `import skytools` offers from it.
NAMES = {
    "adminscript": "AdminScript",
    "config": "Config",
    "fileutil": "signal_pidfile write_atomic",
    "gzlog": "gzip_append",
    "hashtext": "hashtext_new hashtext_old",
    "natsort": """natsort natsort_icase natsort_key natsort_key_icase natsorted
        natsorted_icase""",
    "parsing": """dedent hsize_to_bytes merge_connect_string parse_acl parse_connect_string
        parse_logtriga_sql parse_pgarray parse_sqltriga_sql parse_statements
        parse_tabbed_table sql_tokenizer""",
    "psycopgwrapper": """DBError I_AUTOCOMMIT I_READ_COMMITTED I_REPEATABLE_READ
        I_SERIALIZABLE connect_database""",
    "querybuilder": """PLPyQuery PLPyQueryBuilder QueryBuilder plpy_exec run_exists run_lookup
        run_query run_query_row""",
    "quoting": """db_urldecode db_urlencode json_decode json_encode make_pgarray
        quote_bytea_copy quote_bytea_literal quote_bytea_raw quote_copy quote_fqident
        quote_ident quote_json quote_literal quote_statement unescape unescape_copy
        unquote_fqident unquote_ident unquote_literal""",
    "scripting": "BaseScript DBScript UsageError daemonize",
    "skylog": "getLogger",
    "sockutil": "set_cloexec set_nonblocking set_tcp_keepalive",
    "sqltools": """CopyPipe DBFunction DBLanguage DBObject DBSchema DBTable Snapshot
        db_install dbdict exists_function exists_language exists_schema exists_sequence
        exists_table exists_temp_table exists_type exists_view fq_name fq_name_parts
        full_copy get_table_columns get_table_oid get_table_pkeys installer_apply_file
        installer_find_file magic_insert mk_delete_sql mk_insert_sql mk_update_sql""",
    "timeutil": "FixedOffsetTimezone datetime_to_timestamp parse_iso_timestamp",
    "utf8": "safe_utf8_decode",
}

# Modules that scripts import by name, beside those above.
MODULES = frozenset((*NAMES, "basetypes", "installer_config", "tnetstrings"))

# Names of 3.x that are no more, and what to use.
GONE = {
    "DBService": "it was announced to go in 3.x: keep python3-skytools 3.x in the database server",
    "SeqStruct": "use pg_dump --schema-only, or pg_get_*def() functions of the server",
    "TableStruct": "use pg_dump --schema-only, or pg_get_*def() functions of the server",
}
GONE |= dict.fromkeys(
    (
        *("ServiceContext", "TableAPI", "get_record", "get_record_list", "make_record"),
        "make_record_array",
    ),
    GONE["DBService"],
)
GONE |= dict.fromkeys(
    (
        *("T_ALL", "T_CONSTRAINT", "T_DEFAULT", "T_GRANT", "T_INDEX", "T_OWNER", "T_PARENT"),
        *("T_PKEY", "T_RULE", "T_SEQUENCE", "T_TABLE", "T_TRIGGER"),
    ),
    GONE["TableStruct"],
)

# Modules of the top-level `pgq`; the names of python3-pgq -> ours.
PGQ_MODULES = {
    f"pgq.{name}": f"skytools.compat.pgq.{name}"
    for name in (
        *("baseconsumer", "cascade", "consumer", "coopconsumer", "event", "localconsumer"),
        *("producer", "remoteconsumer", "status"),
    )
}
PGQ_MODULES["pgq.cascade.consumer"] = "skytools.compat.pgq.cascadedconsumer"
PGQ_MODULES["pgq.cascade.admin"] = "skytools.compat.pgq.cascadeadmin"
PGQ_MODULES["pgq.cascade.nodeinfo"] = "skytools.compat.pgq.nodeinfo"
PGQ_MODULES["pgq.cascade.worker"] = "skytools.compat.pgq.cascadedworker"

WHERE = {name: module for module, names in NAMES.items() for name in names.split()}


def value(name: str) -> object:
    """Return what `skytools.<name>` is. Raises AttributeError, which says what to use instead."""
    if name in WHERE:
        return getattr(importlib.import_module(f"skytools.compat.{WHERE[name]}"), name)
    if name in MODULES:
        return importlib.import_module(f"skytools.compat.{name}")
    text = f"module 'skytools' has no attribute {name!r}"
    if name in GONE:
        text = f"skytools.{name} of Skytools 3 is no more: {GONE[name]}"
    raise AttributeError(text)


def pgq_value(name: str) -> object:
    """Return what `pgq.<name>` is. Raises AttributeError."""
    return getattr(importlib.import_module("skytools.compat.pgq"), name)


def target(name: str) -> str | None:
    """Return the module that an old module's name leads to, None when it is no such name."""
    if name in PGQ_MODULES:
        return PGQ_MODULES[name]
    package, _, module = name.partition(".")
    if package == "skytools" and module in MODULES:
        return f"skytools.compat.{module}"
    return None


class _Alias(importlib.abc.Loader):
    """Gives a module that exists a second name; it stays one module."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        name = target(spec.name)
        assert name is not None
        module = importlib.import_module(name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Return the spec of an old module's name."""
    if target(name) is None:
        return None
    return importlib.machinery.ModuleSpec(name, _Alias(), origin="skytools.compat")
