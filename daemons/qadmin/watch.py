# SPDX-License-Identifier: ISC
"""`watch`: queues and consumers, their rates and lag, drawn again and again."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from skytools.core.cli import duration, format_table
from skytools.core.errors import UsageError
from skytools.daemons.qadmin.commands.queues import require_queue
from skytools.daemons.qadmin.session import Session, number, positive
from skytools.daemons.qadmin.style import BOLD, RED, YELLOW, paint, sparkline

HISTORY = 120
SPARK_WIDTH = 20
# From this lag on a consumer is yellow, then red. Seconds.
LATE, VERY_LATE = 10.0, 60.0
HOME, CLEAR_LINE, CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
BEGIN, END = "\x1b[?25l\x1b[2J", "\x1b[?25h\n"

# ev: a number that grows by one with each event.
_QUEUES = """
    select i.queue_name as name, i.queue_ticker_paused as paused, i.ticker_lag, i.ev_new,
           i.ev_per_sec, coalesce(pg_sequence_last_value(to_regclass(q.queue_event_seq)), 0) as ev
      from pgq.get_queue_info(%(queue)s) i join pgq.queue q on q.queue_name = i.queue_name
     order by 1"""
_CONSUMERS = """
    select c.queue_name as queue, c.consumer_name as name, c.lag, c.last_seen, c.current_batch,
           c.pending_events, t.tick_event_seq as ev
      from pgq.get_consumer_info(%(queue)s, null) c
      join pgq.queue q on q.queue_name = c.queue_name
      left join pgq.tick t on t.tick_queue = q.queue_id and t.tick_id = c.last_tick
     order by 1, 2"""


@dataclass(slots=True)
class Series:
    """A value that is looked at again and again, and the rates at which it grew."""

    last: float | None = None
    at: float = 0.0
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))

    def add(self, value: float | None, now: float, lag: float | None) -> float | None:
        """Return the rate per second since the last look; None at the first."""
        last, before = self.last, self.at
        self.last, self.at = value, now
        self.lags.append(lag or 0.0)
        if last is None or value is None or now <= before:
            return None
        rate = max(value - last, 0.0) / (now - before)
        self.rates.append(rate)
        return rate


class Board:
    """What has been seen so far."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    def look(
        self, queues: list[dict[str, Any]], consumers: list[dict[str, Any]], now: float
    ) -> list[dict[str, Any]]:
        """Return a record for each queue, with its consumers. Times are seconds."""
        by_queue: dict[str, list[dict[str, Any]]] = {}
        for each in consumers:
            by_queue.setdefault(each["queue"], []).append(each)
        return [
            {
                **self._queue(one, now),
                "consumers": [self._consumer(each, now) for each in by_queue.get(one["name"], ())],
            }
            for one in queues
        ]

    def _queue(self, one: dict[str, Any], now: float) -> dict[str, Any]:
        lag = _seconds(one["ticker_lag"])
        series = self._series.setdefault((one["name"], ""), Series())
        rate = series.add(one["ev"], now, lag)
        return {
            "queue": one["name"],
            "ticker_lag": lag,
            "paused": one["paused"],
            "new": one["ev_new"],
            "rate": one["ev_per_sec"] if rate is None else rate,
            "history": list(series.rates),
        }

    def _consumer(self, one: dict[str, Any], now: float) -> dict[str, Any]:
        lag = _seconds(one["lag"])
        series = self._series.setdefault((one["queue"], one["name"]), Series())
        return {
            "consumer": one["name"],
            "lag": lag,
            "last_seen": _seconds(one["last_seen"]),
            "pending": one["pending_events"],
            "batch": one["current_batch"],
            "rate": series.add(one["ev"], now, lag),
            "history": list(series.lags),
        }


def _seconds(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()


def watch(session: Session, values: dict[str, Any]) -> None:
    """Draw until interrupted, or `count` times. Where nobody watches: once, or `count` times."""
    name = session.queues_of(values)
    if name:
        require_queue(session, name)
    every = positive(values.get("number", "2"), "every")
    count = number(values["number2"], "count") if "number2" in values else None
    if count == 0:
        raise UsageError("count: 0 times is never")
    live = session.out.terminal and not session.out.as_json
    stream = session.out.stream
    if live:
        stream.write(BEGIN)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _draw_all(session, name, every, count or (None if live else 1), live=live)
    finally:
        if live:
            stream.write(END)
            stream.flush()


def _draw_all(
    session: Session, name: str | None, every: float, count: int | None, *, live: bool
) -> None:
    board, done = Board(), 0
    while True:
        now = time.monotonic()
        seen = board.look(
            session.fetch(_QUEUES, {"queue": name}), session.fetch(_CONSUMERS, {"queue": name}), now
        )
        if session.out.as_json:
            session.out.data(seen)
        else:
            lines = screen(seen, colour=session.colour)
            session.out.stream.write(redraw(lines, every) if live else "\n".join([*lines, ""]))
        session.out.stream.flush()
        done += 1
        if done == count:
            return
        time.sleep(max(0.0, every - (time.monotonic() - now)))


def redraw(lines: list[str], every: float) -> str:
    """Return what draws lines over those before; what does not fit the terminal is left out."""
    size = shutil.get_terminal_size()
    head = f"{time.strftime('%H:%M:%S')}  every {every:g} s, Ctrl-C ends"
    shown = [head, "", *lines][: size.lines - 1]
    if len(lines) + 2 > size.lines - 1:
        shown[-1] = f"... {len(lines) + 3 - len(shown)} lines more: name a queue to see it alone"
    return HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in shown) + CLEAR_REST


def screen(seen: list[dict[str, Any]], *, colour: bool) -> list[str]:
    """Return the lines of what was seen: a table of queues, each with its consumers below."""
    if not seen:
        return ["there are no queues"]
    rows: list[dict[str, str]] = []
    colours: list[tuple[str, ...]] = [(BOLD,)]
    for queue in seen:
        rows.append(_queue_row(queue))
        colours.append((BOLD, YELLOW) if queue["paused"] else (BOLD,))
        for one in queue["consumers"]:
            rows.append(_consumer_row(one))
            colours.append(_urgency(one["lag"]))
    heads = {"name": "queue / consumer", "lag": "lag", "seen": "seen", "new": "new",
             "rate": "ev/s", "graph": "rate of queue, lag of consumer"}  # fmt: skip
    lines = format_table(rows, heads)
    if not colour:
        return lines
    return [paint(line, *codes) for line, codes in zip(lines, colours, strict=True)]


def _queue_row(queue: dict[str, Any]) -> dict[str, str]:
    return {
        "name": queue["queue"],
        "lag": "paused" if queue["paused"] else _length(queue["ticker_lag"]),
        "seen": "",
        "new": str(queue["new"] or 0),
        "rate": _rate(queue["rate"]),
        "graph": sparkline(queue["history"], SPARK_WIDTH),
    }


def _length(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds, tenths=True)


def _consumer_row(one: dict[str, Any]) -> dict[str, str]:
    return {
        "name": f"  {one['consumer']}",
        "lag": _length(one["lag"]),
        "seen": _length(one["last_seen"]),
        "new": "-" if one["pending"] is None else str(one["pending"]),
        "rate": _rate(one["rate"]),
        "graph": sparkline(one["history"], SPARK_WIDTH),
    }


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _urgency(lag: float | None) -> tuple[str, ...]:
    if lag is None or lag >= VERY_LATE:
        return (RED,)
    return (YELLOW,) if lag >= LATE else ()
