# SPDX-License-Identifier: ISC
from __future__ import annotations

from skytools.daemons.ticker.database import Report
from skytools.daemons.ticker.status import brief, status_line

REFUSED = (
    'shop: connection to server on socket "/run/.s.PGSQL.5432" failed: Connection refused '
    "Is the server running locally and accepting connections on that socket?"
)


def test_names_what_does_not_tick_and_when_it_is_tried_again():
    reports = {
        "a": Report("ticking"),
        "b": Report("ticking"),
        "c": Report("ticking"),
        "shop": Report("failed", REFUSED, 107.2),
        "template_like": Report("ignored", "no pgq"),
    }
    assert status_line(reports, "", 100.0) == (
        "3/4 databases ticking; shop: Connection refused, next try in 8 s"
    )


def test_counts_beyond_the_first_three():
    reports = {f"d{n}": Report("waiting", "another ticker serves it") for n in range(5)}
    assert status_line(reports, "", 0.0) == (
        "0/5 databases ticking; d0: another ticker serves it; d1: another ticker serves it; "
        "d2: another ticker serves it; 2 more"
    )


def test_a_failing_list_of_databases_is_told():
    assert status_line({}, "template1: timeout expired", 0.0) == (
        "0/0 databases ticking; list of databases: template1: timeout expired"
    )


def test_a_server_s_refusal_is_told_in_its_words():
    text = 'connection to server at "db" (::1), port 5432 failed: FATAL:  database "x" is gone'
    assert brief(" ".join(text.split())) == 'database "x" is gone'
    assert len(brief("x" * 500)) == 120
