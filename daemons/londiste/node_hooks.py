# SPDX-License-Identifier: ISC
"""What Londiste adds to the administration of a cascade: tables and sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skytools.daemons.londiste import api, copies, scripts, sequences
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.states import in_sync
from skytools.daemons.londiste.upstream import keeps_rows
from skytools.pgq.admin.hooks import Hooks, NodeView
from skytools.pgq.types import Event

MOST_NAMES = 5
_OPERATIONS = {"I": "insert", "U": "update", "D": "delete", "R": "truncate"}


class LondisteHooks(Hooks):
    """Hooks of the nodes of a set of tables."""

    extensions: ClassVar[tuple[str, ...]] = ("pgq", "pgq_node", "londiste")

    def __init__(self, cfg: LondisteConfig) -> None:
        self._cfg = cfg

    # creation and names

    def on_create(self, new: NodeView, provider: NodeView | None) -> None:
        """Tell a new node the tables and sequences of the set, and which scripts are done."""
        if provider is None:
            return
        for table in api.tables(provider.db, provider.queue):
            if self._cfg.registers_table(table.name):
                api.global_add_table(new.db, new.queue, table.name)
        for seq in api.sequences(provider.db, provider.queue):
            if self._cfg.registers_seq(seq.name):
                api.global_update_seq(new.db, new.queue, seq.name, seq.last_value)
        scripts.take_over(provider.db, new.db, new.queue)

    def on_rename(self, node: NodeView, old_name: str, new_name: str) -> None:
        """Rename the node in the attributes of tables that are copied from it."""
        for table in api.tables(node.db, node.queue):
            if table.local and table.attrs.get("copy_node") == old_name:
                attrs = {**table.attrs, "copy_node": new_name}
                api.set_table_attrs(node.db, node.queue, table.name, attrs)

    # other providers, takeover

    def move_objections(self, node: NodeView, provider: NodeView) -> list[str]:
        """Refuse while a table waits for transactions of the provider that it has now."""
        waiting = [
            one.name
            for one in api.tables(node.db, node.queue)
            if one.local and one.snapshot is not None and in_sync(one.state)
        ]
        if not waiting:
            return []
        return [
            f"node {node.name}: {_list(waiting)} has not come to a tick since it was copied from"
            " its provider; try again in a moment"
        ]

    def takeover_objections(self, old: NodeView | None, new: NodeView) -> list[str]:
        """Refuse when the new root would lack tables or sequences, or has them half."""
        ours = {one.name: one for one in api.tables(new.db, new.queue)}
        wanted = list(ours)
        seqs = {one.name: one for one in api.sequences(new.db, new.queue)}
        wanted_seqs = list(seqs)
        if old is not None:
            wanted = [one.name for one in api.tables(old.db, old.queue) if one.local]
            wanted_seqs = [one.name for one in api.sequences(old.db, old.queue) if one.local]
        missing = [name for name in wanted if name not in ours or not ours[name].local]
        half = [
            name
            for name in wanted
            if name in ours and ours[name].local
            and not in_sync(ours[name].state)
        ]  # fmt: skip
        missing_seqs = [name for name in wanted_seqs if name not in seqs or not seqs[name].local]
        found = []
        if missing:
            found.append(
                f"node {new.name} does not have {_list(missing)}: writes to it would be lost;"
                " add it there (londiste add-table), or remove it on the root"
            )
        if half:
            found.append(
                f"node {new.name}: {_list(half)} is not in sync; wait for it (londiste wait-sync)"
            )
        if missing_seqs:
            found.append(
                f"node {new.name} does not have sequence {_list(missing_seqs)}: values would be"
                " used twice; add it there (londiste add-seq), or remove it on the root"
            )
        return found

    def before_promote(self, old: NodeView | None, new: NodeView) -> None:
        """Raise sequences above all values that may have been used."""
        used_by = None if old is None else old.db
        done = sequences.raise_registered(used_by, new.db, new.queue)
        tables = [
            one.dest for one in api.tables(new.db, new.queue) if one.local and keeps_rows(one)
        ]
        sequences.raise_owned(used_by, new.db, tables, done)

    # status

    def status(self, node: NodeView) -> Mapping[str, str]:
        """Count the tables: in sync, on the way, not here; and tell what a copy fails with."""
        good = half = ignored = 0
        for table in api.tables(node.db, node.queue):
            if not table.local:
                ignored += 1
            elif in_sync(table.state):
                good += 1
            else:
                half += 1
        seen = {"Tables": f"{good}/{half}/{ignored}"}
        failing = [f"{name}: {why}" for name, why in copies.errors(node.db, node.queue).items()]
        if failing:
            more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
            seen["Copy fails"] = f"{failing[0]}{more}"
        return seen

    def lost_event(self, event: Event) -> str:
        """Return table and operation."""
        kind = event.type or ""
        if kind.startswith("{"):
            kind = kind.partition('"op":')[2].strip(' "')[:1]
        return f"{event.extra1 or '-'} {_OPERATIONS.get(kind[:1], kind)}"


def _list(listed: list[str]) -> str:
    text = ", ".join(listed[:MOST_NAMES])
    more = len(listed) - MOST_NAMES
    return f"{text} and {more} more" if more > 0 else text
