# SPDX-License-Identifier: ISC
from __future__ import annotations

import pytest

from skytools.core.db import Database, sql
from skytools.core.errors import SkytoolsError
from skytools.daemons.ticker import api


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("pgq.maint_rotate_tables_step1", ["pgq", "maint_rotate_tables_step1"]),
        ("MySchema.Func", ["myschema", "func"]),
        ('"My Schema"."a""b"', ["My Schema", 'a"b']),
        ("plain", ["plain"]),
        ("größe.f", ["größe", "f"]),
    ],
)
def test_names_are_folded_as_the_server_does(text, parts):
    assert api._identifier(text) == sql.Identifier(*parts)


@pytest.mark.parametrize(
    "text", ["", "f()", "a.b.c", "f; drop table t", 'a"b', "1a", "pg_sleep(1) --", '""']
)
def test_what_is_no_name_is_never_sent(text):
    nowhere = Database("nowhere", "host=/nonexistent")
    with pytest.raises(SkytoolsError, match="not the name of a function or table"):
        api.run_operation(nowhere, text, None)
    with pytest.raises(SkytoolsError, match="not the name of a function or table"):
        api.run_operation(nowhere, "vacuum", text)
