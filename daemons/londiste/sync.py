# SPDX-License-Identifier: ISC
"""The worker's side of copies: which are to run, and when a table becomes the worker's own.

The worker leaves the events of a table that is being copied alone. Before each batch, and when
it is idle, it looks at the tables that are not in sync (states.py has the steps):

- A copy that has stopped at the very tick at which the worker is: the table is the worker's from
  here on. A copy that is ahead waits for us. One that is just behind is asked to come to our
  tick (do-sync), and only for that, and for HOLD_SECONDS at most, other tables wait.
- Copies are processes of their own. A dead one is started again; none outlives the worker.

Scripts: see copy/order.py.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from skytools.core.faultpoint import reach
from skytools.core.processes import is_running
from skytools.core.service import Pause
from skytools.daemons.londiste import api, copies
from skytools.daemons.londiste.api import TableInfo
from skytools.daemons.londiste.copy.children import TIDY, Children
from skytools.daemons.londiste.copy.finish import consumers_over
from skytools.daemons.londiste.copy.order import Scripts
from skytools.daemons.londiste.copy.source import tick_snapshot
from skytools.daemons.londiste.handlers import make
from skytools.daemons.londiste.states import (
    CATCHING_UP,
    IN_COPY,
    MISSING,
    OK,
    Snapshot,
    Stage,
    State,
    do_sync,
)
from skytools.pgq import Batch, Event

if TYPE_CHECKING:
    from skytools.daemons.londiste.worker import LondisteWorker

log = logging.getLogger("skytools")

HOLD_SECONDS = 0.7  # that all other tables may wait for the hand-over of one
HOLD_AGAIN_SECONDS = 5.0  # before the same table may make them wait again
LOOK_SECONDS = 0.25
TIDY_SECONDS = 5.0
PROVIDER_SECONDS = 1.0  # between looks at which tables the provider has in sync
BUSY = (Stage.IN_COPY, Stage.CATCHING_UP)
# So many processes for each of parallel_copies, at most: those that are done wait for the worker.
PROCESSES_EACH = 2


class Sync:
    """Copies of one node, as its worker sees them."""

    def __init__(self, worker: LondisteWorker) -> None:
        self.worker = worker
        self.active = False  # some table is not simply in sync
        self.children = Children(worker.ctx, worker.cfg, _ini())
        self._filters: dict[str, Snapshot] = {}
        self._ours: set[str] = set()  # tables taken over since the worker has read its list
        self._foreign: dict[str, str] = {}  # table -> provider at which its snapshot was met
        self._hold_after: dict[str, float] = {}
        self._looked = self._tidied = self._ready_until = float("-inf")
        self._at_provider: set[str] = set()
        self._tables: dict[str, TableInfo] = {}
        self._under_way: list[TableInfo] = []
        self._scripts = Scripts(worker, self.children)

    # what the worker calls

    @property
    def offered(self) -> bool:
        """Whether a copy waits at a tick, which the worker then should not leave out."""
        stages = {State.parse(one.state).stage for one in self._under_way}
        return Stage.WANNA_SYNC in stages

    def refresh(self, tables: Iterable[TableInfo]) -> None:
        """Take the tables of the set."""
        self._tables = {one.name: one for one in tables}
        self._ours.clear()
        self.active = any(not one.settled for one in self._tables.values() if one.local)

    def before_batch(self, batch: Batch) -> None:
        """Decide what becomes of the tables in this batch. Nothing was written yet; may commit."""
        self._filters.clear()
        if not self.active:
            return
        held = self._hand_over(batch.prev_tick.id)
        if held:
            self._hold(held, batch.prev_tick.id)
        self._read_filters(batch)

    def wants(self, table: TableInfo, event: Event) -> bool:
        """Tell whether an event of a local table that is not in sync is to be applied now."""
        if table.name in self._ours:
            return True
        snapshot = self._filters.get(table.name)
        return snapshot is not None and not snapshot.sees(event.txid)

    def after_commit(self, batch: Batch) -> None:
        """Go on after a batch is committed."""
        self._look(batch.tick.id)

    def look_due(self) -> bool:
        """Tell whether idle() may find anything: it looks at the tables a few times a second."""
        busy = self.active or self.children.running
        return bool(busy) or time.monotonic() - self._looked >= LOOK_SECONDS

    def idle(self) -> None:
        """Go on when there is no batch."""
        self._look(self.worker.state.completed_tick, idle=True)

    def pause(self, given: Pause) -> Pause:
        """Return how long to wait when a pause is due: less while tables are copied."""
        target = self.worker.target
        target.listen(api.SYNC_CHANNEL)
        if target.notifies():
            self._looked = float("-inf")
            return Pause(0)
        wake = (*given.wake, target, *self.children.wake)
        busy = self.active or self.children.running
        return Pause(min(given.seconds, LOOK_SECONDS) if busy else given.seconds, wake)

    def before_execute(self, event: Event) -> None:
        """See that no copy is in the way of a script. Raises CopyInTheWay."""
        self._scripts.before(event)

    def after_execute(self, event: Event) -> None:
        """See what the script has touched, before it is committed. Raises CopyInTheWay."""
        self._scripts.after(event)

    def close(self) -> None:
        """End the copies."""
        self.children.stop()

    # hand-over

    def _hand_over(self, done: int) -> list[str]:
        """Take over the tables that are at tick `done`; return those that are to come to it."""
        target, queue = self.worker.target, self.worker.cfg.queue_name
        held, changed = [], False
        for row in copies.under_way(target, queue):
            state = State.parse(row.state)
            if state.stage not in {Stage.WANNA_SYNC, Stage.DO_SYNC}:
                continue
            locked = copies.locked_table(target, queue, row.name, wait=False)
            if locked is None or locked.state != row.state:
                continue
            after = self._after(row.name, state, done)
            if after == OK:
                self._ours.add(row.name)
                log.info("%s: in sync, from tick %d on", row.name, done)
            elif after.stage is Stage.DO_SYNC:
                held.append(row.name)
            if after != state:
                api.set_table_state(target, queue, row.name, None, after.text)
                changed = True
        target.commit()
        if changed:
            reach("sync-moved")
        return held

    def _after(self, table: str, state: State, done: int) -> State:
        """Return what becomes of a table that is offered, or was asked to come to a tick.

        What a process has left that runs no more, maybe one of Londiste 3, is not relied upon.
        """
        if table not in self.children.running:
            return CATCHING_UP
        if state.stage is Stage.DO_SYNC:
            return state if state.tick == done else CATCHING_UP
        after = state.seen_from(done)
        if after.stage is not Stage.DO_SYNC:
            return after
        late = time.monotonic() < self._hold_after.get(table, 0.0)
        return CATCHING_UP if late else do_sync(done)

    def _hold(self, held: list[str], done: int) -> None:
        """Wait for copies to come to our tick; those that do not in time go on as before."""
        worker = self.worker
        worker.target.listen(api.SYNC_CHANNEL)
        deadline = time.monotonic() + HOLD_SECONDS
        while held and time.monotonic() < deadline:
            if not worker.target.notifies():
                worker.ctx.wait(0.05, (worker.target,))
                worker.target.notifies()
            held = self._hand_over(done)
        for table in held:
            row = copies.locked_table(worker.target, worker.cfg.queue_name, table, wait=False)
            if row is not None and State.parse(row.state).stage is Stage.DO_SYNC:
                self._set(table, CATCHING_UP)
            self._hold_after[table] = time.monotonic() + HOLD_AGAIN_SECONDS
            worker.target.commit()

    def _set(self, table: str, state: State) -> None:
        target, queue = self.worker.target, self.worker.cfg.queue_name
        api.set_table_state(target, queue, table, None, state.text)

    # what Londiste 3 has left: in sync, but for events that the snapshot of its copy has seen

    def _read_filters(self, batch: Batch) -> None:
        target = self.worker.target
        for row in copies.under_way(target, self.worker.cfg.queue_name):
            if State.parse(row.state) == OK and row.snapshot is not None:
                self._read_filter(row, batch)
        target.commit()

    def _read_filter(self, row: TableInfo, batch: Batch) -> None:
        provider = self.worker.state.provider_node
        origin = self._foreign.setdefault(row.name, row.attrs.get("copy_node") or provider)
        if origin != provider:
            # Transactions of another server: no event can be compared with them.
            log.warning("%s: is copied anew: its snapshot is not of node %s", row.name, provider)
            self._set(row.name, MISSING)
            del self._foreign[row.name]
            return
        snapshot = Snapshot.parse(row.snapshot or "")
        at = tick_snapshot(self.worker.db, self.worker.cfg.queue_name, batch.prev_tick.id)
        self.worker.db.commit()
        if at is not None and at.covers(snapshot):
            self._set(row.name, OK)
            self._ours.add(row.name)
        else:
            self._filters[row.name] = snapshot

    # copies

    def _look(self, done: int, *, idle: bool = False) -> None:
        """Start what is to run, reap what has ended, a few times a second."""
        now = time.monotonic()
        if not idle and now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if self.worker.follows:
            return
        self.children.use(self.worker.cfg)
        ended = self._reap()
        target, queue = self.worker.target, self.worker.cfg.queue_name
        if not self.children.running and not copies.is_any_open(target, queue):
            self._under_way, self.active = [], False
        else:
            self._go_on(done, idle=idle)
        target.commit()
        if ended or now - self._tidied > TIDY_SECONDS:
            self._tidied = now
            self._tidy()

    def _go_on(self, done: int, *, idle: bool) -> None:
        """Take over what is offered, start what is to be copied, and tell how far it is."""
        target = self.worker.target
        rows = self._under_way = copies.under_way(target, self.worker.cfg.queue_name)
        target.commit()
        if rows and idle:
            self._hand_over(done)
        more = self._start(rows)
        self.active = bool(rows) or more
        status = self.children.status()
        if status:
            self.worker.ctx.notify.status(status)

    def _reap(self) -> bool:
        """Hear of copies that have ended, and keep what they have failed with; false: none has."""
        ended = self.children.look()
        target = self.worker.target
        for table, fault in ended.items():
            if fault:
                copies.set_error(target, self.worker.cfg.queue_name, table, fault)
        target.commit()
        return bool(ended)

    def _start(self, rows: list[TableInfo]) -> bool:
        """Start copies: first those that were under way. False: no others are to be copied."""
        running, limit = self.children.running, self.worker.cfg.parallel_copies
        stages = {row.name: State.parse(row.state).stage for row in rows}
        for row in rows:
            if len(running) >= limit * PROCESSES_EACH:
                return True
            may = stages[row.name] is not Stage.OK and self.children.may_start(row.name)
            if may and not self._old_copy(row.name):
                self._launch(row.name)
        busy = sum(1 for name in running if stages.get(name) in BUSY)
        if busy >= limit:
            return True
        missing = copies.to_copy(self.worker.target, self.worker.cfg.queue_name)
        self.worker.target.commit()
        for row in missing:
            if busy >= limit or len(running) >= limit * PROCESSES_EACH:
                break
            self.children.forget(row.name)
            busy += self._begin(row)
        return bool(missing)

    def _begin(self, row: TableInfo) -> bool:
        """Begin with a table that is to be copied; false: it has to wait, or needs no copy."""
        if not make(row, self.worker.cfg).needs_table:
            self._mark(row.name, OK)
            return False
        if not row.attrs.get("copy_node") and row.name not in self._ready():
            return False
        if row.name in self.children.running or self._old_copy(row.name):
            return False
        self._mark(row.name, IN_COPY)
        self._launch(row.name)
        return True

    def _launch(self, table: str) -> None:
        self.children.start(table)
        reach("sync-started")

    def _mark(self, table: str, state: State) -> None:
        """Move a table on that is still to be copied."""
        target, queue = self.worker.target, self.worker.cfg.queue_name
        row = copies.locked_table(target, queue, table)
        if row is not None and row.state is None:
            self._set(table, state)
        target.commit()

    def _ready(self) -> set[str]:
        """Return the tables that the provider has in sync."""
        now = time.monotonic()
        if now >= self._ready_until:
            db = self.worker.db
            found = api.tables(db, self.worker.cfg.queue_name)
            db.commit()
            self._at_provider = {
                one.name for one in found if one.local and State.parse(one.state) == OK
            }
            self._ready_until = now + PROVIDER_SECONDS
        return self._at_provider

    def _old_copy(self, table: str) -> bool:
        """Tell whether a copy process of Londiste 3 still runs: it was started apart from us."""
        if self.worker.cfg.pidfile is None:
            return False
        path = Path(f"{self.worker.cfg.pidfile}.copy.{table}")
        try:
            pid = int(path.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return False
        return is_running(pid)

    def _tidy(self) -> None:
        """Have foreign keys brought back, and consumers of copies that are over forgotten."""
        worker = self.worker
        if not self.children.may_start(TIDY):
            return
        fkeys = api.valid_pending_fkeys(worker.target, worker.cfg.queue_name)
        consumers = consumers_over(worker.target, worker.cfg)
        worker.target.commit()
        if fkeys or consumers:
            self.children.start(TIDY)


def _ini() -> str:
    """Return the ini that this process was started with, for people who list processes."""
    return next((one for one in sys.argv[1:] if one.endswith(".ini")), "")
