# SPDX-License-Identifier: ISC
"""Keys of the section [londiste]. Source: those of Londiste 3, with the same meaning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from skytools.core.config import DaemonConfig, option, settings
from skytools.core.db import check_conninfo
from skytools.daemons.londiste import names
from skytools.pgq.cascade_worker import WorkerConfig

SHARD_INFO_SQL = "select shard_nr, shard_mask, shard_count from partconf.conf"


@settings
class LondisteConfig(WorkerConfig):
    """Keys of a node: worker, copies and commands read the same section."""

    LEGACY: ClassVar[Mapping[str, str]] = {
        **DaemonConfig.LEGACY,
        "threaded_copy_tables": "a big table is copied by several connections, see copy_threads",
        "threaded_copy_pool_size": "a big table is copied by several connections, see copy_threads",
        "max_parallel_copy": "it is an attribute of the table",
    }

    node_name: str = option("", "Name of the node, for create-root, create-branch, create-leaf.")
    public_node_location: str = option(
        "", "Connect string by which other nodes reach this one.", check=check_conninfo
    )
    initial_provider_location: str = option(
        "", "Connect string of the provider, for create-branch and create-leaf.",
        check=check_conninfo,
    )  # fmt: skip
    parallel_copies: int = option(1, "How many tables are copied at a time.", min=1)
    copy_threads: int = option(
        0, "Connections that copy one big table; 0: by the number of processors.", min=0, max=64
    )
    local_only: bool = option(
        False,
        "Read only the events of tables that this node has. Not for a branch, whose subscribers"
        " want them all.",
    )
    local_only_drop_execute: bool = option(
        False, "With local_only: leave the scripts of execute out, too."
    )
    register_only_tables: tuple[str, ...] = option(
        (), "Know only these tables of the set; full names."
    )
    register_only_seqs: tuple[str, ...] = option(
        (), "Know only these sequences of the set; full names."
    )
    register_skip_tables: tuple[str, ...] = option((), "Do not know these tables of the set.")
    register_skip_seqs: tuple[str, ...] = option((), "Do not know these sequences of the set.")
    lock_timeout: float = option(
        10, "How long commands wait for a lock, and compare and repair for the worker.",
        unit="s", min=0,
    )  # fmt: skip
    handler_modules: tuple[str, ...] = option(
        (), "Python modules with handlers of your own; those of installed packages are found."
    )
    shard_hash_func: str = option(
        "partconf.get_hash_raw", "Of the handler shard: function that makes a number of the key."
    )
    shard_info_sql: str = option(
        SHARD_INFO_SQL, "Of the handler shard: query of which shard this node is."
    )
    obfuscator_map: Path | None = option(
        None, "Of the handler obfuscate: file (YAML or JSON) that says what becomes of each column."
    )
    obfuscator_key: str = option("", "Of the handler obfuscate: key of its hashes.")
    compare_sql: str = option(
        "", "Compare tables by this query of your own instead; _TABLE_ and _COLS_ are put in."
    )
    compare_fmt: str = option("", "How to show the row that compare_sql returns.")
    audit_period: float = option(
        0, "Compare all tables in the background this often; 0: never.", unit="s", min=0
    )
    on_missing_row: str = option(
        "log",
        "An UPDATE or DELETE finds no row. log: count and log it; stop: fail, so that somebody"
        " looks; repair: insert what the UPDATE brought.",
        choices=("log", "stop", "repair"),
    )
    apply_slice_rows: int = option(100000, "Changes kept in memory before they are written.", min=1)
    apply_slice_bytes: int = option(
        32 << 20, "Size of changes kept in memory before they are written.",
        unit="bytes", min=1 << 16,
    )  # fmt: skip
    apply_method: str = option(
        "set",
        "set: net effect of the changes of a table, by a few large statements; row: a statement"
        " for each change.",
        choices=("set", "row"),
    )

    def registers_table(self, name: str) -> bool:
        """Tell whether the node is to know a table of the set."""
        return _registers(name, self.register_only_tables, self.register_skip_tables)

    def registers_seq(self, name: str) -> bool:
        """Tell whether the node is to know a sequence of the set."""
        return _registers(name, self.register_only_seqs, self.register_skip_seqs)

    def faults(self) -> list[tuple[str, str]]:
        """Check keys that exclude each other."""
        found = WorkerConfig.faults(self)
        if self.pgq_autocommit:
            found.append(("pgq_autocommit", "does not go with work in another database"))
        if self.local_only_drop_execute and not self.local_only:
            found.append(("local_only_drop_execute", "needs local_only = 1"))
        return found


def _registers(name: str, only: tuple[str, ...], skip: tuple[str, ...]) -> bool:
    return (not only or name in map(names.full, only)) and name not in map(names.full, skip)
