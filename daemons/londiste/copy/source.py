# SPDX-License-Identifier: ISC
"""Where the rows of a copy come from, and which events they hold already.

The rows are read in one snapshot. What they hold is known by it:

- On the root: all that the snapshot sees. Events are compared with it, on the root itself, whose
  transactions it is about, up to the first tick that was made after it. From there on the copy
  stands at a tick, as below.
- On any other node: all up to the tick that its worker had finished, which it writes in the
  transaction of its work. Ticks are the same on all nodes, so the copy reads on at its own
  provider, and numbers of transactions of another server are never compared.

The consumer of the copy is registered before the snapshot is taken, so no event is rotated away.
No script (EXECUTE) may lie between what the worker of this node has done and what the rows hold:
else columns would be missing on one of the sides.
"""

from __future__ import annotations

from dataclasses import dataclass

from skytools.core.db import Database
from skytools.core.errors import DatabaseError, SkytoolsError, TransientError
from skytools.daemons.londiste import copies
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.config import LondisteConfig
from skytools.daemons.londiste.copy import session
from skytools.daemons.londiste.copy.connections import Connections
from skytools.daemons.londiste.states import Snapshot, in_sync
from skytools.daemons.londiste.upstream import Upstream
from skytools.pgq import api as pgq
from skytools.pgq import node
from skytools.pgq.node import NodeState, NodeType

ANY_NODE = "?"

_EVENT_TABLE = "select queue_id, queue_data_pfx from pgq.queue where queue_name = %s"
# A tick that cuts a batch sees more than its snapshot; PgQ 3.5 has no such ticks, nor the columns.
_SEEN = """(txid_visible_in_snapshot(ev.ev_txid, {0}.tick_snapshot)
        or coalesce(ev.ev_id <= {0}.part_end
            and txid_visible_in_snapshot(ev.ev_txid, {0}.part), false))"""
_SCRIPTS = f"""
with ticks as (
    select tick_id, tick_snapshot, (to_jsonb(t) ->> 'tick_part_snapshot')::txid_snapshot as part,
           (to_jsonb(t) ->> 'tick_part_end')::bigint as part_end
      from pgq.tick t where tick_queue = %(queue)s and tick_id in (%(low)s, %(high)s))
select exists (select from {{events}} ev
          left join ticks high on high.tick_id = %(high)s
        where ev.ev_type = 'EXECUTE'
          and ev.ev_txid >= txid_snapshot_xmin(low.tick_snapshot)
          and not {_SEEN.format("low")}
          and (high.tick_id is null or {_SEEN.format("high")}))
  from ticks low where low.tick_id = %(low)s"""
_TICK_SNAPSHOT = """
select t.tick_snapshot::text from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
 where q.queue_name = %s and t.tick_id = %s"""


class NotYet(TransientError):  # noqa: N818 # no error: the copy waits
    """Something must happen elsewhere before the copy can go on."""


@dataclass(frozen=True, slots=True)
class Start:
    """From where events are to be applied: after `tick`, as the queue of `node` has it.

    `snapshot` is of that node: events that it sees are in the rows.
    """

    node: str
    tick: int
    snapshot: Snapshot | None


def consumer_name(cfg: LondisteConfig, table: str) -> str:
    """Return the name of a copy's consumer."""
    return f"{cfg.consumer}.copy.{table}"


class Source:
    """The node that the rows come from, and the provider, where the copy reads on.

    `local` is the node's own database. Connections are made when they are needed.
    """

    def __init__(
        self, local: Database, cfg: LondisteConfig, table: TableInfo, connections: Connections
    ) -> None:
        self.local = local
        self.cfg = cfg
        self.queue = cfg.queue_name
        self.table = table
        self.consumer = consumer_name(cfg, table.name)
        self.worker = self._worker()
        name, location = self._choose()
        self.name = name
        self.rows = connections.get(
            "rows", f"source {name}", location, table.name, setup=session.for_reading
        )
        self.facts = connections.beside(name, location, table.name)
        self.provider = (
            self.facts
            if name == self.worker.provider_node
            else connections.beside(self.worker.provider_node, self._reach(self.worker), table.name)
        )
        self._start_tick = 0

    def _worker(self) -> NodeState:
        state = node.worker_state(self.local, self.queue)
        self.local.rollback()
        return state

    def _reach(self, state: NodeState) -> str:
        if state.provider_location is None:
            raise SkytoolsError(f"where node {state.provider_node} is, is not known")
        return self._full(state.provider_location)

    def _full(self, location: str) -> str:
        return f"{location} {self.cfg.remote_extra_connstr}".strip()

    def _choose(self) -> tuple[str, str]:
        wanted = self.table.attrs.get("copy_node", "")
        if not wanted:
            return self.worker.provider_node, self._reach(self.worker)
        if wanted == ANY_NODE:
            with Upstream(self.queue, self.local, self.cfg.remote_extra_connstr) as above:
                try:
                    found = above.source_of(self.table.name)
                except TransientError:
                    raise
                except SkytoolsError as exc:
                    raise NotYet(str(exc)) from exc
                return found.name, found.location
        members = {one.node: one for one in node.locations(self.local, self.queue)}
        self.local.rollback()
        if wanted not in members or wanted == self.worker.node_name:
            raise SkytoolsError(
                f"copy_node of {self.table.name} is {wanted}, which is no other node of the"
                f" cascade; there are: {', '.join(sorted(members))}"
            )
        return wanted, self._full(members[wanted].location)

    def end(self) -> None:
        """Let go of the snapshot."""
        self.rows.rollback()

    # before the snapshot

    def prepare(self) -> None:
        """See that the source has the table, and register the consumer. Raises NotYet."""
        state = node.worker_state(self.facts, self.queue)
        self._check_table(self.facts, state)
        if state.node_type is NodeType.ROOT:
            tick = pgq.queue_info(self.facts, self.queue)[0].last_tick_id
            pgq.register_consumer_at(self.facts, self.queue, self.consumer, tick)
            self._start_tick = tick
            return
        tick = min(state.completed_tick, self._worker().completed_tick)
        if not pgq.tick_exists(self.provider, self.queue, tick):
            raise NotYet(
                f"node {self.name} is at tick {tick}, which provider"
                f" {self.worker.provider_node} does not have"
            )
        pgq.register_consumer_at(self.provider, self.queue, self.consumer, tick)

    def _check_table(self, db: Database, state: NodeState) -> None:
        found = copies.local_table(db, self.queue, self.table.name)
        where = f"{self.table.name} at node {self.name}"
        if found is None:
            raise NotYet(f"{where} is not there; add it there, or choose another copy_node")
        if not in_sync(found.state):
            raise NotYet(f"{where} is not in sync yet")
        # Its rows may be ahead of its tick.
        if found.snapshot is not None and state.node_type is not NodeType.ROOT:
            raise NotYet(f"{where} has not come to a tick since it was copied")

    # the snapshot

    def take(self) -> tuple[Start, str]:
        """Take the snapshot; return where it stands, and the name under which it is exported.

        It is held until the transaction of `rows` ends. Raises NotYet.
        """
        session.open_source(self.rows)
        row = self.rows.query_one("select txid_current_snapshot()::text, pg_export_snapshot()")
        assert row is not None
        state = node.worker_state(self.rows, self.queue)
        self._check_table(self.rows, state)
        if state.node_type is NodeType.ROOT:
            if not self._start_tick:
                raise NotYet(f"node {self.name} has become the root")
            check_scripts(self.rows, self.queue, self._worker().completed_tick, None)
            return Start(self.name, self._start_tick, Snapshot.parse(row[0])), row[1]
        if self._start_tick:
            raise NotYet(f"node {self.name} is the root no more")
        done, ours = state.completed_tick, self._worker().completed_tick
        check_scripts(self.provider, self.queue, min(done, ours), max(done, ours))
        return Start(self.worker.provider_node, done, None), row[1]


def check_scripts(db: Database, queue: str, low: int, high: int | None) -> None:
    """Raise NotYet while a script lies between two ticks; `high` None: after the first."""
    if low == high:
        return
    found = db.query_one(_EVENT_TABLE, (queue,))
    if found is None:
        raise SkytoolsError(f"{db.name}: has no queue {queue}")
    query = _SCRIPTS.format(events=found[1])
    between = db.value(query, {"queue": found[0], "low": low, "high": high})
    if between is None:
        raise NotYet(f"{db.name}: has no tick {low}")
    if between:
        raise NotYet("a script of londiste execute is on its way; it comes first")


def tick_snapshot(db: Database, queue: str, tick: int) -> Snapshot | None:
    """Return the snapshot of a tick on that server; None: it has no such tick any more."""
    try:
        text = db.value(_TICK_SNAPSHOT, (queue, tick))
    except DatabaseError as exc:
        raise SkytoolsError(f"{db.name}: pgq.tick cannot be read: {exc}") from exc
    return None if text is None else Snapshot.parse(text)
