# SPDX-License-Identifier: ISC
"""pgqd as a program: switches, ini, reload, and what it says when they are wrong."""

from __future__ import annotations

import signal

import pytest

from tests.fixtures.ticker import insert_event, make_queue, wait_tick, write_ini


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tick_period = 1", ["tick_period: unknown key", "did you mean ticker_period?"]),
        ("maint_period = often", ["maint_period: 'often' is not a number"]),
        ("stats_period = -5", ["stats_period: -5 is too small"]),
        ("base_connstr = host='unfinished", ["base_connstr: is no connect string"]),
        ("syslog_facility = nowhere", ["syslog_facility: 'nowhere' is no syslog facility"]),
    ],
)
@pytest.mark.parametrize("switches", [(), ("--check",)])
def test_a_bad_line_is_one_clear_line_and_exit_code_2(run_program, tmp_path, line, words, switches):
    ini = tmp_path / "bad.ini"
    ini.write_text(f"[pgqd]\n{line}\n")
    done = run_program("pgqd", *switches, ini)
    assert done.code == 2
    assert done.out == ""
    (told,) = done.err.splitlines()
    assert told.startswith(f"pgqd: {ini}: [pgqd] ")
    assert all(word in told for word in words), told


@pytest.mark.parametrize(
    ("text", "word"),
    [("[ticker]\n", "section [pgqd] is missing"), ("", "section [pgqd] is missing")],
)
def test_a_missing_section_is_told(run_program, tmp_path, text, word):
    ini = tmp_path / "bad.ini"
    ini.write_text(text)
    done = run_program("pgqd", ini)
    assert done.code == 2
    assert word in done.err
    assert len(done.err.splitlines()) == 1


def test_an_ini_that_cannot_be_read_and_no_ini_at_all(run_program, tmp_path):
    done = run_program("pgqd", tmp_path / "none.ini")
    assert done.code == 2
    assert "cannot be read: No such file or directory" in done.err
    assert run_program("pgqd").code == 2


def test_version_and_template(run_program, tmp_path):
    done = run_program("pgqd", "-V")
    assert done.code == 0
    assert done.out.startswith("pgqd 4.")
    ini = tmp_path / "template.ini"
    ini.write_text(run_program("pgqd", "--ini").out)
    assert "#ticker_period = 1" in ini.read_text()
    done = run_program("pgqd", "--check", ini)
    assert (done.code, done.err) == (0, "")


def test_set_overrides_the_ini(run_program, tmp_path):
    ini = tmp_path / "a.ini"
    ini.write_text("[pgqd]\nticker_period = 1\n")
    done = run_program("pgqd", "--check", "--set", "ticker_period=x", ini)
    assert done.code == 2
    assert "'x' is not a number" in done.err


@pytest.mark.parametrize("switch", ["-s", "-k"])
def test_stop_switches_end_it_and_silence_producers(
    server, db, start_ticker, run_program, wait_until, switch
):
    make_queue(db)
    ticker = start_ticker(server, db.name, sleep_after=0.05)
    wait_until(lambda: flag(db) == 2, what="sleep")
    done = run_program("pgqd", switch, ticker.ini)
    assert done.code == 0
    assert done.out.strip() == ("SIGINT sent" if switch == "-s" else "SIGTERM sent")
    assert ticker.program.wait() == 0
    assert flag(db) == 1
    again = run_program("pgqd", switch, ticker.ini)
    assert again.code == 1
    assert "not running?" in again.err


def flag(database):
    return database.value("select coalesce(pg_sequence_last_value(queue_wake_seq::regclass), 1)"
                          " from pgq.queue")  # fmt: skip


def test_a_second_start_with_the_same_pidfile_is_refused(server, db, start_ticker, run_program):
    ticker = start_ticker(server, db.name)
    done = run_program("pgqd", ticker.ini)
    assert done.code == 1
    assert f"already running as pid {ticker.program.pid}" in done.err


def test_reload_adds_and_removes_databases(server, db, make_db, start_ticker, run_program):
    other = make_db()
    queue_id, other_id = make_queue(db), make_queue(other)
    ticker = start_ticker(server, db.name)
    insert_event(db)
    wait_tick(db, queue_id)

    write_ini(ticker.folder, server, (db.name, other.name), {})
    assert run_program("pgqd", "-r", ticker.ini).out.strip() == "SIGHUP sent"
    ticker.wait_status("2/2 databases ticking")
    for database, number in ((db, queue_id), (other, other_id)):
        database.notifies()
        insert_event(database)
        wait_tick(database, number)

    write_ini(ticker.folder, server, (other.name,), {})
    ticker.program.signal(signal.SIGHUP)
    ticker.wait_status("1/1 databases ticking")
    ticker.program.wait_output(f"Unregister database: {db.name}")
    insert_event(other)
    wait_tick(other, other_id)


def test_a_bad_reload_keeps_the_old_configuration(server, db, start_ticker):
    queue_id = make_queue(db)
    ticker = start_ticker(server, db.name)
    ticker.ini.write_text("[pgqd]\nticker_period = x\n")
    ticker.program.signal(signal.SIGHUP)
    ticker.program.wait_output("reload refused, the old configuration stays")
    insert_event(db)
    wait_tick(db, queue_id)


def test_reload_changes_the_connect_string_of_running_databases(
    server, db, start_ticker, wait_until
):
    queue_id = make_queue(db)
    ticker = start_ticker(server, db.name)
    base = f"host={server.socket_dir} port={server.port} user=postgres application_name=renamed"
    write_ini(ticker.folder, server, (db.name,), {"base_connstr": base})
    ticker.program.signal(signal.SIGHUP)
    wait_until(
        lambda: db.query(
            "select 1 from pg_stat_activity where application_name = 'renamed'"
            " and datname = current_database()"
        ),
        what="the new connection",
    )
    ticker.wait_status("1/1 databases ticking")
    insert_event(db)
    wait_tick(db, queue_id)


def test_daemon_mode(server, db, tmp_path, run_program, wait_until):
    queue_id = make_queue(db)
    ini = write_ini(tmp_path, server, (db.name,), {"logfile": tmp_path / "log"})
    assert run_program("pgqd", "-d", ini).code == 0
    try:
        insert_event(db)
        wait_tick(db, queue_id)
    finally:
        assert run_program("pgqd", "-s", ini).out.strip() == "SIGINT sent"
    wait_until(lambda: (tmp_path / "log").read_text().count("stopped"), what="the end")
