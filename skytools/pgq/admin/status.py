# SPDX-License-Identifier: ISC
"""Command: status, the tree of all nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl

from skytools.core.cli import duration
from skytools.core.errors import SkytoolsError
from skytools.pgq import api
from skytools.pgq.admin import calls
from skytools.pgq.admin.facts import NodeInfo
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node
from skytools.pgq.node import Location, NodeType

MAX_THREADS = 32
LATE = timedelta(minutes=1)
RED, PLAIN = "\033[31m", "\033[0m"


@dataclass(slots=True)
class Seen:
    """A member, as far as it answered. `lags`: of the consumers of its queue."""

    name: str
    location: str
    dead: bool
    info: NodeInfo | None = None
    fault: str = ""
    closed: bool = False
    lags: dict[str, timedelta | None] = field(default_factory=dict)
    ticker_lag: timedelta | None = None
    consumers: list[calls.LocalConsumer] = field(default_factory=list)
    more: Mapping[str, str] = field(default_factory=dict)
    lag: timedelta | None = None
    children: list[Seen] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """What the node's consumers complain of, or why it did not answer."""
        told = [f"{one.name}: {one.error}" for one in self.consumers if one.error]
        return [self.fault, *told] if self.fault else told


def status(job: Job) -> int:
    """Show the tree of nodes, with what each says of itself."""
    local = job.cascade.local
    job.cascade.widen()
    seen = look_around(job)
    lines = tree(seen, compact=bool(job.switch("compact")), colour=job.out.terminal)
    if job.out.as_json:
        job.out.data({"queue": job.cascade.queue, "local_node": local.name,
                      "nodes": [_facts(one) for one in seen.values()]})  # fmt: skip
        return 0
    job.out.line(f"Queue: {job.cascade.queue}   Local node: {local.name}")
    job.out.line()
    for line in lines:
        job.out.line(line)
    return 0


def tree(seen: Mapping[str, Seen], *, compact: bool = False, colour: bool = False) -> list[str]:
    """Return the lines of the tree."""
    draw = _compact if compact else _full
    return [line for root in grow(seen) for line in draw(root, colour)]


def look_around(job: Job) -> dict[str, Seen]:
    """Ask every member at the same time."""
    places = list(job.cascade.locations.values())
    nodes = [None if job.cascade.is_dead(one.node) else job.cascade.node(one.node)
             for one in places]  # fmt: skip
    with ThreadPoolExecutor(max(1, min(len(places), MAX_THREADS))) as pool:
        found = pool.map(lambda pair: _ask(job, *pair), zip(places, nodes, strict=True))
        return {one.name: one for one in found}


def _ask(job: Job, place: Location, node: Node | None) -> Seen:
    seen = Seen(place.node, place.location, node is None)
    if node is None:
        return seen
    db, queue = node.db, node.queue
    try:
        seen.info = node.look()
        seen.consumers = calls.consumers(db, queue)
        if seen.info.node_type is not NodeType.LEAF:
            seen.lags = {one.name: one.lag for one in api.consumer_info(db, queue)}
            seen.ticker_lag = api.queue_info(db, queue)[0].ticker_lag
        seen.closed = seen.info.is_root and calls.is_closed(db, queue)
        seen.more = dict(job.site.hooks.status(node))
        db.rollback()
    except SkytoolsError as exc:
        seen.fault = str(exc)
        db.close()
    return seen


def grow(seen: Mapping[str, Seen]) -> list[Seen]:
    """Put each node below its provider; return the roots, and those whose provider is unknown."""
    roots = []
    for one in seen.values():
        above = seen.get(one.info.provider_node) if one.info and not one.info.is_root else None
        if above is None or above is one:
            roots.append(one)
        else:
            above.children.append(one)
        if one.info is not None:
            one.lag = (
                one.ticker_lag
                if one.info.is_root or above is None
                else above.lags.get(one.info.worker_name)
            )
    for one in seen.values():
        one.children.sort(key=lambda child: (len(child.children) > 0, child.name))
    return sorted(roots, key=lambda one: (one.info is None, one.dead, one.name))


def _facts(one: Seen) -> dict[str, object]:
    return {
        "node": one.name,
        "location": one.location,
        "dead": one.dead,
        "info": asdict(one.info) if one.info else None,
        "lag_seconds": one.lag.total_seconds() if one.lag is not None else None,
        "closed": one.closed,
        "errors": one.errors,
        "more": dict(one.more),
    }


def _title(one: Seen) -> str:
    if one.dead:
        return f"{one.name} (DEAD)"
    if one.info is None:
        return f"{one.name} (no answer)"
    kind = str(one.info.node_type)
    if one.info.combined_queue:
        kind = f"merge-{kind} to {one.info.combined_queue}"
    return f"{one.name} ({kind})"


def _state(one: Seen, colour: bool) -> list[str]:
    info = one.info
    if info is None:
        return []
    lag = "-" if one.lag is None else duration(one.lag.total_seconds())
    if colour and one.lag is not None and one.lag > LATE:
        lag = f"{RED}{lag}{PLAIN}"
    told = [f"Lag: {lag}", f"Tick: {info.worker_last_tick}"]
    if info.worker_paused:
        told.append("PAUSED")
    if not info.worker_uptodate:
        told.append("NOT UPTODATE")
    if one.closed:
        told.append("CLOSED FOR WRITING")
    return told


def _lines(one: Seen, colour: bool) -> list[str]:
    lines = [f"{key}: {value}" for key, value in one.more.items()]
    state = _state(one, colour)
    if state:
        lines.append(", ".join(state))
    if one.info is not None and one.info.node_attrs:
        attributes = parse_qsl(one.info.node_attrs, keep_blank_values=True)
        lines.append("Attr: " + ", ".join(f"{key}={value}" for key, value in attributes))
    return lines + [f"ERR: {text}" for text in one.errors]


def _full(root: Seen, colour: bool) -> Iterator[str]:
    """Yield the tree with the lines of each node beside it."""
    yield _title(root)
    yield from _beside(root, "", colour)
    yield from _below(root, "", colour)


def _below(one: Seen, indent: str, colour: bool) -> Iterator[str]:
    for child in one.children:
        last = child is one.children[-1]
        yield f"{indent}  +--: {_title(child)}"
        deeper = indent + ("   " if last else "  |")
        yield from _beside(child, deeper, colour)
        yield from _below(child, deeper, colour)


def _beside(one: Seen, indent: str, colour: bool) -> Iterator[str]:
    bar = f"{indent}  |" if one.children else indent.rstrip()
    for line in _lines(one, colour):
        yield f"{bar:<30}{line}"


def _compact(root: Seen, colour: bool, indent: str = "") -> Iterator[str]:
    """Yield a line for each node."""
    more = _lines(root, colour)
    yield f"{indent}{_title(root)}" + (f"  {'; '.join(more)}" if more else "")
    for child in root.children:
        yield from _compact(child, colour, indent + "  ")
