# SPDX-License-Identifier: ISC
"""The pure helpers return what those of Debian's python3-skytools 3.8.1 were seen to return.

recorded.json is the table: [name, arguments, keyword arguments, result]; record.py wrote it.
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skytools
from skytools.compat import hashtext, natsort, quoting, tnetstrings

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
record = importlib.import_module("record")
sys.path.remove(str(HERE))

CASES = defaultdict(list)
for _name, *_case in json.loads((HERE / "recorded.json").read_text()):
    CASES[_name].append(_case)

# (function, first argument) where ours differs on purpose, and why.
_DIFFERENT = {
    # 3.x: null, which the server takes for NULL
    ("make_pgarray", ("null",)): '{"null"}',
    # 3.x: a second key "" with the rest
    ("db_urldecode", "a=b=c"): {"a": "b=c"},
    ("db_urldecode", 'é,$"=='): {'é,$"': "="},
    # 3.x returns half of what is no flat array
    ("parse_pgarray", '{"a}'): ValueError,
    ("parse_pgarray", "{{a}}"): ValueError,
    # 3.x takes an unfinished quoted name for a plain one
    ("unquote_ident", '",é=9_'): ValueError,
    ("unquote_ident", '"%Z'): ValueError,
    ("unquote_fqident", '",é=9_'): ValueError,
    ("unquote_fqident", '"%Z'): ValueError,
    ("unquote_fqident", '."'): ValueError,
    # 3.x keeps the quotes, so that the value cannot be merged again
    ("parse_connect_string", "dbname='a b' host=c"): [("dbname", "a b"), ("host", "c")],
    ("parse_connect_string", "a='it\\'s'"): [("a", "it's")],
    ("parse_connect_string", "a='\\\\'"): [("a", "\\")],
    ("parse_connect_string", "a=''"): [("a", "")],
    ("parse_connect_string", "a='x"): ValueError,
    ("parse_connect_string", "a='b'c=d"): [("a", "b"), ("c", "d")],
}
DIFFERENT = {
    (function, repr(list(first) if isinstance(first, tuple) else first)): (
        "!ValueError" if wanted is ValueError else repr(wanted)
    )
    for (function, first), wanted in _DIFFERENT.items()
}


def find(name: str):
    if name.startswith("tnetstrings."):
        return getattr(tnetstrings, name.split(".")[1])
    if name == "Snapshot.contains":
        return lambda text: [skytools.Snapshot(text).contains(txid) for txid in range(25)]
    return getattr(skytools, name)


@pytest.mark.parametrize("name", sorted(CASES))
def test_as_recorded(name):
    function = find(name)
    wrong = []
    for args_text, kwargs_text, expected in CASES[name]:
        args, kwargs = ast.literal_eval(args_text), ast.literal_eval(kwargs_text)
        got = record.outcome(function, args, kwargs)
        if expected == "!SystemError":
            continue  # a crash of theirs: anything is better
        wanted = DIFFERENT.get((name, repr(args[0])), expected)
        both_refuse = got[0] == wanted[0] == "!"
        if got != wanted and not both_refuse:
            wrong.append((args, kwargs, "wanted", wanted, "got", got))
    assert wrong == []


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXT.filter(bool), st.none() | TEXT))
def test_form_text_comes_back(row):
    assert quoting.db_urldecode(quoting.db_urlencode(row)) == row


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_quoted_comes_back(text):
    assert quoting.unquote_literal(quoting.quote_literal(text)) == text
    assert quoting.unquote_ident(quoting.quote_ident(text)) == text
    assert quoting.unescape_copy(quoting.quote_copy(text)) == text
    assert json.loads(quoting.quote_json(text)) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | TEXT))
def test_arrays_come_back(values):
    assert skytools.parse_pgarray(quoting.make_pgarray(values)) == values


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_tnetstrings_come_back(value):
    assert tnetstrings.loads(tnetstrings.dumps(value)) == value


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 10**15)))
def test_numbers_sort_by_value(numbers):
    words = [f"t{number}" for number in numbers]
    assert natsort.natsorted(words) == [f"t{number}" for number in sorted(numbers)]


def test_hashtext_takes_text_and_bytes():
    assert hashtext.hashtext_new("é") == hashtext.hashtext_new("é".encode())
