# SPDX-License-Identifier: ISC
"""Row events in the format of logutriga."""

from __future__ import annotations

import pytest

from skytools.core.errors import SkytoolsError
from skytools.pgq import Event
from skytools.pgq.rows import check_statement, decode, is_row_change, query_arguments, row_change

TIME = "2024-05-01 10:00:00+00"


def event(kind, data, table="public.t"):
    return Event(7, TIME, 900, None, kind, data, table, None, None, "x4")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("id=7&t=a+b&u&v=%c3%a9%2f", {"id": "7", "t": "a b", "u": None, "v": "é/"}),
        ("", {}),
        ("a=", {"a": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a%3db=%26%3d", {"a=b": "&="}),
        ("a=b=c", {"a": "b=c"}),
    ],
)
def test_decode(text, values):
    assert decode(text) == values


@pytest.mark.parametrize(
    ("kind", "is_row"),
    [("I:id", True), ("U:a,b", True), ("D:", True), ("I", False), ("R", False), (None, False),
     ("pgq.location-info", False), ("", False), ("X:id", False)],
)  # fmt: skip
def test_what_is_a_row_change(kind, is_row):
    assert is_row_change(event(kind, "id=1")) is is_row


def test_row_change():
    change = row_change(event("U:id,lang", "id=1&lang=et&n"))
    assert (change.operation, change.key, change.table) == ("U", ("id", "lang"), "public.t")
    assert change.key_values() == ("1", "et")
    assert row_change(event("I:", "id=1")).key == ()


def test_a_key_that_is_not_in_the_data():
    with pytest.raises(SkytoolsError, match=r"public\.t: key column lang is not in the event"):
        row_change(event("U:id,lang", "id=1")).key_values()


def test_query_arguments():
    found = query_arguments(event("I:id", "id=1&n"), 33)
    assert found == {
        "id": "1", "n": None, "pgq.tick_id": 33, "pgq.ev_id": 7, "pgq.ev_time": TIME,
        "pgq.ev_type": "I:id", "pgq.ev_data": "id=1&n", "pgq.ev_extra1": "public.t",
        "pgq.ev_extra2": None, "pgq.ev_extra3": None, "pgq.ev_extra4": "x4",
    }  # fmt: skip
    with pytest.raises(SkytoolsError, match="wants column nam, which the event does not have"):
        _ = found["nam"]


@pytest.mark.parametrize("text", ["select f(%(a)s, %(pgq.ev_id)s)", "select 1", "select 5 %% 3"])
def test_good_statements(text):
    assert check_statement(text) is None


@pytest.mark.parametrize("text", ["select %s", "like '5%'", "%(a)", "%(a)z", "%(a"])
def test_bad_statements(text):
    assert "write a parameter as %(name)s" in (check_statement(text) or "")
