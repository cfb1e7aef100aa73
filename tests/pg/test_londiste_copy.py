# SPDX-License-Identifier: ISC
"""Copies of tables as the worker runs them: the worker in this process, copies as its children."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.fixtures.londiste import Site, Ticking
from tests.fixtures.wait import wait_until

ROWS = 500


class Running:
    """Workers that are stepped until something has come true."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.workers: list = []

    def add(self, name: str, **keys):
        worker = self.site.worker(name, **keys)
        self.workers.append(worker)
        return worker

    def until(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, {
                node.name: node.states() for node in self.site.nodes.values()
            }
            for worker in self.workers:
                pause = worker.step()
                worker.ctx.wait(min(pause.seconds, 0.05), pause.wake)

    def in_sync(self, name: str, timeout: float = 60.0) -> None:
        node = self.site[name]
        self.until(lambda: set(node.states().values()) == {"ok"}, timeout)

    def applied(self, name: str, timeout: float = 60.0) -> None:
        """Go on until the node has all that the root has committed by now."""
        node, queue = self.site[name], self.site["root"].events
        before = queue.last_tick()
        queue.db.query("select pgq.force_tick(%s)", (queue.name,))
        wait_until(lambda: queue.last_tick() > before)
        last = queue.last_tick()
        self.until(lambda: node.state("completed_tick") >= last, timeout)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


@pytest.fixture
def running(site: Site) -> Iterator[Running]:
    made = Running(site)
    yield made
    made.close()


def make_tables(site: Site, *names: str, rows: int = ROWS) -> None:
    site.each("".join(f"create table {n} (id int primary key, a text); " for n in names))
    for name in names:
        site["root"].add_table(f"public.{name}")
        site["root"].db.execute(
            f"insert into {name} select n, 'a' || n from generate_series(1, {rows}) n"
        )


def same(site: Site, node: str, *tables: str) -> None:
    for table in tables:
        assert site[node].rows(table) == site["root"].rows(table)


def subscribe(site: Site, node: str, *tables: str, **attrs: str) -> None:
    for table in tables:
        site[node].add_table(f"public.{table}", synced=False, **attrs)


def test_three_tables_of_an_idle_system_come_in_sync(
    site: Site, running: Running, ticking: Ticking
) -> None:
    root = site.root()
    leaf = site.node("leaf", "leaf", "root")
    make_tables(site, "t1", "t2", "t3")
    ticking(root.db)
    running.add("leaf")
    running.applied("leaf")
    started = time.monotonic()
    subscribe(site, "leaf", "t1", "t2", "t3")
    running.in_sync("leaf")
    print("SYNC", time.monotonic() - started)
    same(site, "leaf", "t1", "t2", "t3")
    root.db.execute("update t1 set a = 'later' where id < 10; delete from t2 where id = 5")
    running.applied("leaf")
    same(site, "leaf", "t1", "t2", "t3")
    assert leaf.db.query("select * from pgq_node.local_state where consumer_name ~ 'copy'") == []
    wait_until(
        lambda: (
            not root.db.query(
                "select * from pgq.get_consumer_info('q') where consumer_name ~ 'copy'"
            )
        )
    )
