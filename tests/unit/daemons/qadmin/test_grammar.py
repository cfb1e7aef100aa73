# SPDX-License-Identifier: ISC
"""The grammar of qadmin: what is a command, what is SQL, what is wrong, what may come next."""

from __future__ import annotations

import pytest

from skytools.core.errors import UsageError
from skytools.daemons.qadmin.grammar import KINDS, Command, Grammar
from skytools.daemons.qadmin.language import ALL, grammar
from skytools.daemons.qadmin.lexer import UnfinishedError, quote, split, statement
from skytools.daemons.qadmin.style import sparkline
from skytools.daemons.qadmin.syntax import parse_syntax

GRAMMAR = grammar()


def parse(text):
    found = GRAMMAR.parse(statement(text))
    if found is None:
        return None
    values = {k: v for k, v in found.values.items() if k != "words"}
    return found.command.syntax.split(" [")[0].split(" {")[0].split(" (")[0], values


def test_statements_are_split_outside_of_quotes_and_comments():
    text = "select ';' ; show queue a;; -- no; end\nselect $x$;$x$, \"a;b\" /* ; */"
    statements, rest = split(text)
    assert [one.text for one in statements] == ["select ';'", "show queue a"]
    assert rest.strip().startswith("-- no; end\nselect $x$;$x$")
    assert split("show queue;\nexit;")[0][1].line == 2
    assert split("  -- nothing\n")[1] == ""


@pytest.mark.parametrize("text", ["select 'a", 'show queue "a', "select /* x", "select $q$ x $p$"])
def test_what_is_not_closed_is_unfinished(text):
    with pytest.raises(UnfinishedError):
        split(text)


@pytest.mark.parametrize("name", ["a", "a.b_1", "my-queue", "A", "a b", "it's", "x#1/4", ";", ""])
def test_a_quoted_name_is_read_back(name):
    (token,) = statement(quote(name)).tokens
    assert token.value == name


@pytest.mark.parametrize(
    ("text", "command", "values"),
    [
        ("show queue", "show queue", {}),
        ("SHOW Queue *", "show queue", {"queue": "*"}),
        ('show queue "My Queue"', "show queue", {"queue": "My Queue"}),
        ("create queue Orders", "create queue QUEUE", {"queue": "orders"}),
        ("drop queue q", "drop queue QUEUE", {"queue": "q"}),
        (
            "alter queue * set idle_period='1 min', max_count=7, paused=1",
            "alter queue",
            {"queue": "*", "options": {"idle_period": "1 min", "max_count": "7", "paused": "1"}},
        ),
        ("connect", "connect", {}),
        (
            "connect dbname=x host=/tmp/a-b port=6432 queue=q",
            "connect",
            {"options": {"dbname": "x", "host": "/tmp/a-b", "port": "6432", "queue": "q"}},
        ),
        ("connect node=n1", "connect", {"options": {"node": "n1"}}),
        ("install londiste", "install", {}),
        ("show consumer", "show consumer", {}),
        ("show consumer * on q", "show consumer", {"consumer": "*", "queue": "q"}),
        ("show consumer c", "show consumer", {"consumer": "c"}),
        (
            "register consumer c on q copy d",
            "register consumer CONSUMER",
            {"consumer": "c", "queue": "q", "consumer2": "d"},
        ),
        ("register consumer c at 7", "register consumer CONSUMER", {"consumer": "c", "tick": "7"}),
        ("unregister consumer *", "unregister consumer", {"consumer": "*"}),
        (
            "register subconsumer s for c on q",
            "register subconsumer SUBCONSUMER for CONSUMER",
            {"subconsumer": "s", "consumer": "c", "queue": "q"},
        ),
        (
            "unregister subconsumer * for c from q close batch",
            "unregister subconsumer",
            {"subconsumer": "*", "consumer": "c", "queue": "q"},
        ),
        ("show node", "show node", {}),
        ("show node n on q", "show node", {"node": "n", "queue": "q"}),
        ("show batch 17", "show batch BATCH", {"batch": "17"}),
        ("show table public.t", "show table TABLE", {"table": "public.t"}),
        ("show sequence s", "show sequence SEQUENCE", {"sequence": "s"}),
        (
            "londiste add table a, b.c with skip_truncate, ev_ignore='x', pkey=id",
            "londiste add table TABLE,..",
            {
                "table": ["a", "b.c"],
                "options": {"skip_truncate": True, "ev_ignore": "x", "pkey": "id"},
            },
        ),
        (
            "londiste remove sequence s",
            "londiste remove sequence SEQUENCE,..",
            {"sequence": ["s"]},
        ),
        ("londiste missing", "londiste missing", {}),
        ("help", "[ show ] help", {}),
        ("show version", "show version", {}),
        ("exit", "exit", {}),
        (
            "redrive 1, 2 of c on q",
            "redrive",
            {"event": ["1", "2"], "consumer": "c", "queue": "q"},
        ),
        (
            "purge all of c where type='a%' before='2026-01-01'",
            "purge",
            {"consumer": "c", "options": {"type": "a%", "before": "2026-01-01"}},
        ),
        (
            "watch q every 0.5 count 3",
            "watch",
            {"queue": "q", "number": "0.5", "number2": "3"},
        ),
    ],
)
def test_commands_of_skytools_3_and_ours(text, command, values):
    assert parse(text) == (command, values)


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "create table queue (a int)",
        "drop table q",
        "alter table q add b int",
        "show search_path",
        "insert into t values (1)",
        "update pgq.queue set queue_name = 'x'",
        "begin",
    ],
)
def test_anything_else_is_sql(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("show queue a b", "b: expected the end; syntax: show queue"),
        ("show", "the end: expected "),
        ("create queue", "the end: expected QUEUE; syntax: create queue QUEUE"),
        ("create queue 'a' 'b'", "'b': expected the end"),
        ("alter queue q set", "the end: expected idle_period or"),
        ("alter queue q set size=3", "size: expected idle_period or"),
        ("alter queue q set max_count=1,", "the end: expected"),
        ("alter queue q set max_count=1 max_count=2", "max_count: expected"),
        ("register consumer", "the end: expected CONSUMER"),
        ("register c", "c: expected consumer or subconsumer"),
        ("londiste add view v", "view: expected table or sequence"),
        ("londiste add table a b", "b: expected"),
        ("connect nowhere", "nowhere: expected"),
        ("install walmgr", "walmgr: expected pgq or londiste"),
        ("exit now", "now: expected the end"),
        ("unregister subconsumer s", "the end: expected for"),
        ("redrive all c", "c: expected of"),
        ("doctor age=", "the end: expected NUMBER"),
    ],
)
def test_a_command_gone_wrong_is_told_in_one_line(text, told):
    with pytest.raises(UsageError) as error:
        parse(text)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def words(text):
    return [leaf.text for leaf in GRAMMAR.expected(text)]


def test_what_may_come_next():
    assert {"show", "create", "watch", "doctor"} <= set(words(""))
    assert words("create ") == ["queue"]
    assert words("create queue ") == ["QUEUE"]
    assert words("show queue ") == ["QUEUE", "*", ";"]
    assert words("show queue a ") == [";"]
    assert words("show consumer c ") == ["on", ";"]
    assert "max_count" in words("alter queue q set ")
    assert words("alter queue q set max_count ") == ["="]
    assert "max_count" not in words("alter queue q set max_count=1, ")
    assert words("select ") == []


def test_values_of_a_command_that_is_being_typed():
    values = GRAMMAR.values_so_far("unregister subconsumer * for c from q ")
    assert (values["consumer"], values["queue"]) == ("c", "q")


def test_syntax_help_narrows_down():
    assert len(GRAMMAR.matching("sh")) > 5
    assert [one.syntax for one in GRAMMAR.matching("create q")] == ["create queue QUEUE"]
    assert GRAMMAR.matching("select 1") == []


def test_every_command_is_documented():
    for command in ALL:
        assert command.help
        for word in parse_kinds(command):
            assert word in KINDS, f"{command.syntax}: {word}"
    assert len({command.syntax for command in ALL}) == len(ALL)


def parse_kinds(command):
    text = command.syntax.replace("=", " ").replace(",..", " ")
    return {word.rstrip("0123456789") for word in text.split() if word.isupper()}


def test_a_wrong_syntax_text_is_our_bug():
    for text in ("show (a | b", "show a]", "show {a=B", "show a!"):
        with pytest.raises((AssertionError, IndexError)):
            parse_syntax(text)


def test_alternatives_are_tried_in_turn():
    one = Grammar([Command("a [ b ] ( b c | b d )", "x", lambda session, values: None)])
    assert one.parse(statement("a b d")) is not None
    assert one.parse(statement("a b b c")) is not None
    with pytest.raises(UsageError, match="e: expected"):
        one.parse(statement("a b e"))


def test_small_graphics():
    assert sparkline([0, 1, 2, 4], 3) == "▃▅█"
    assert sparkline([0, 0], 5) == "▁▁"
    assert sparkline([], 5) == ""
