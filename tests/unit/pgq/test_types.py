# SPDX-License-Identifier: ISC
"""Event: a row with names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from skytools.core.errors import UsageError
from skytools.pgq import Event

ROW = (7, "2024-03-01 12:30:00.25+05:30", 900, 2, "I:id", "id=1", "public.t", None, None, "x")


def event(time: str) -> Event:
    return Event(7, time, *ROW[2:])


def test_columns_have_names_also_those_of_python3_pgq():
    ev = Event(*ROW)
    assert (ev.id, ev.txid, ev.retry, ev.type, ev.data) == (7, 900, 2, "I:id", "id=1")
    assert (ev.extra1, ev.extra2, ev.extra3, ev.extra4) == ("public.t", None, None, "x")
    for name in ("id", "time", "txid", "retry", "type", "data", "extra1", "extra4"):
        assert getattr(ev, f"ev_{name}") == getattr(ev, name)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (
            "2024-03-01 12:30:00.25+05:30",
            datetime(2024, 3, 1, 12, 30, 0, 250000, timezone(timedelta(hours=5, minutes=30))),
        ),
        ("2024-03-01 12:30:00.123456+00", datetime(2024, 3, 1, 12, 30, 0, 123456, UTC)),
        ("2024-03-01 12:30:00-03", datetime(2024, 3, 1, 15, 30, tzinfo=UTC)),
        ("infinity", datetime.max.replace(tzinfo=UTC)),
        ("-infinity", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_time_is_parsed_as_the_server_writes_it(text, moment):
    assert event(text).time == moment


def test_time_python_cannot_express_is_an_error():
    with pytest.raises(ValueError, match="0044"):
        _ = event("0044-03-15 12:00:00+00 BC").time


def test_events_cannot_be_changed():
    with pytest.raises(AttributeError):
        Event(*ROW).data = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Event(*ROW).anything = 1  # type: ignore[attr-defined]


def test_an_event_made_by_hand_cannot_be_retried():
    with pytest.raises(UsageError, match="event 7 was not read from a queue"):
        Event(*ROW).tag_retry()


def test_retry_tells_the_reader():
    told = []
    bound = Event.bound_to(lambda ev, seconds: told.append((ev.id, seconds)))
    bound(*ROW).tag_retry(5)
    bound(*ROW).tag_retry()
    assert told == [(7, 5), (7, 60)]
    assert bound(*ROW) == Event(*ROW)
