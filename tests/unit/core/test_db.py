# SPDX-License-Identifier: ISC
"""Which errors of the driver go away by themselves."""

from __future__ import annotations

import psycopg2
import pytest

from skytools.core.db import translate
from skytools.core.errors import DatabaseError, TransientError


@pytest.mark.parametrize(
    "error", [psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.DatabaseError]
)
def test_a_lost_connection_is_transient_whatever_class_it_comes_as(
    error: type[psycopg2.Error],
) -> None:
    told = translate("db", error("server closed the connection unexpectedly\n\tterminated"))
    assert isinstance(told, TransientError)
    assert str(told) == "db: server closed the connection unexpectedly terminated"


def test_a_fault_of_the_statement_is_not() -> None:
    assert isinstance(translate("db", psycopg2.ProgrammingError("no results")), DatabaseError)
