# SPDX-License-Identifier: ISC
"""When the ticker looks at which queue, on a clock of the test's own."""

from __future__ import annotations

import itertools
import math

import pytest

from skytools.daemons.ticker.schedule import (
    AWAKE_MAX,
    EAGER_FOR,
    EAGER_POLL,
    OPEN_MAX,
    POLL,
    Due,
    Look,
    Schedule,
)

NOW = 1000.0


def look(queue_id=1, state="idle", next_check=60.0, error=None):
    return Look(queue_id, f"q{queue_id}", None, state, next_check, error)


@pytest.fixture
def schedule():
    return Schedule(sleep_after=0.5, look_period=10.0)


def first_round(schedule, *looks, now=NOW):
    due = schedule.due(now)
    assert due.everything
    return schedule.saw(looks, due, now)


def put_to_sleep(schedule, *looks):
    first_round(schedule, *looks)
    now = NOW + 0.6
    ids = [each.queue_id for each in looks]
    schedule.saw([look(i, "idle", 59.4) for i in ids], Due(False, ids), now)
    tired = schedule.tired(now)
    assert tired == ids
    schedule.slept(tired, [], now)
    return now


def test_begins_with_a_full_round_and_wakes_every_flag(schedule):
    assert first_round(schedule, look(1), look(2)) == [1, 2]


def test_an_awake_queue_is_looked_at_every_10_ms_and_oftener_just_after_events(schedule):
    first_round(schedule, look(1))
    assert not schedule.due(NOW + EAGER_POLL / 2)
    assert schedule.due(NOW + EAGER_POLL) == Due(False, [1])
    schedule.saw([look(1)], Due(False, [1]), NOW + 2 * EAGER_FOR)
    assert schedule.next_at() == pytest.approx(NOW + 2 * EAGER_FOR + POLL)


def test_waiting_is_looked_at_when_max_lag_ends(schedule):
    first_round(schedule, look(1, "waiting", 0.003))
    assert schedule.next_at() == pytest.approx(NOW + 0.003)


def test_a_long_max_lag_does_not_hide_max_count(schedule):
    first_round(schedule, look(1, "waiting", 3600.0))
    assert schedule.next_at() == NOW + AWAKE_MAX


def test_open_is_looked_at_less_and_less_often_up_to_100_ms(schedule):
    first_round(schedule, look(1, "open", 0.01))
    now, waits = NOW, []
    for _ in range(6):
        waits.append(schedule.next_at() - now)
        now = schedule.next_at()
        schedule.saw([look(1, "open", 0.01)], schedule.due(now), now)
    assert waits == pytest.approx([0.01, 0.02, 0.04, 0.08, OPEN_MAX, OPEN_MAX])
    schedule.saw([look(1, "ticked", 0.01)], schedule.due(now), now)
    assert schedule.next_at() == pytest.approx(now + 0.01)


def test_open_producers_keep_the_ticker_awake(schedule):
    first_round(schedule, look(1, "open", 0.01))
    assert schedule.tired(NOW + 100) == []


def test_a_quiet_queue_is_put_to_sleep_and_then_left_alone(schedule):
    now = put_to_sleep(schedule, look(1))
    assert schedule.next_at() == NOW + 10.0  # a glance
    assert not schedule.due(now + 1)
    assert schedule.tired(now + 100) == []


def test_sleeping_queues_still_get_their_idle_tick(schedule):
    first_round(schedule, look(1, "idle", 5.0))
    now = NOW + 0.6
    schedule.saw([look(1, "idle", 4.4)], Due(False, [1]), now)
    schedule.slept(schedule.tired(now), [], now)
    assert NOW + 5.0 <= schedule.next_at() <= NOW + 5.25


def test_who_is_refused_to_sleep_is_looked_at_at_once(schedule):
    first_round(schedule, look(1), look(2))
    now = NOW + 0.6
    schedule.slept([1, 2], [2], now)
    assert schedule.due(now) == Due(False, [2])


def test_events_postpone_sleep(schedule):
    first_round(schedule, look(1))
    schedule.saw([look(1, "ticked", 0.01)], Due(False, [1]), NOW + 0.4)
    schedule.saw([look(1)], Due(False, [1]), NOW + 0.45)
    assert schedule.tired(NOW + 0.9) == []
    assert schedule.tired(NOW + 0.96) == [1]


def test_a_notification_makes_a_sleeping_queue_due_at_once(schedule):
    now = put_to_sleep(schedule, look(1), look(2)) + 3
    assert schedule.woken(2, now)
    assert schedule.due(now) == Due(False, [2])
    schedule.saw([look(2, "ticked", 0.01)], schedule.due(now), now)
    assert schedule.next_at() == pytest.approx(now + 0.01)


def test_an_unknown_queue_is_looked_at_alone_and_its_flag_set_awake(schedule):
    first_round(schedule, look(1))
    now = NOW + 0.001
    assert schedule.woken(7, now)
    assert schedule.next_at() <= now
    due = schedule.due(now)
    assert due.ids == [7]
    assert schedule.saw([look(7)], due, now) == [7]
    assert 7 in schedule.queues


def test_a_paused_queue_that_notifies_is_asked_about_once_and_silenced(schedule):
    first_round(schedule, look(1))
    now = NOW + 0.001
    schedule.woken(7, now)
    assert schedule.saw([], schedule.due(now), now) == [7]
    assert not schedule.due(now)


def test_a_queue_that_vanishes_is_forgotten_and_its_producers_silenced(schedule):
    put_to_sleep(schedule, look(1), look(2))
    assert schedule.saw([look(1)], Due(True, ()), NOW + 10) == [2]
    assert list(schedule.queues) == [1]
    assert schedule.saw([], Due(False, [1]), NOW + 11) == [1]
    assert not schedule.queues


def test_an_unintelligible_announcement_brings_a_full_round_once_a_second(schedule):
    first_round(schedule, look(1))
    schedule.round_soon()
    assert not schedule.due(NOW + 0.005).everything
    assert schedule.due(NOW + 1.0).everything
    schedule.saw([look(1)], Due(True, ()), NOW + 1.0)
    assert not schedule.due(NOW + 1.5).everything


def test_a_broken_queue_backs_off_and_leaves_the_others_alone(schedule):
    first_round(schedule, look(1, "error", 60.0, "sequence is lost"), look(2))
    assert schedule.errors() == {}  # it may have been a lock
    now, waits = NOW, []
    for _ in range(12):
        now = schedule.queues[1].next_look
        waits.append(now)
        schedule.saw([look(1, "error", None, "sequence is lost")], Due(False, [1]), now)
    assert schedule.errors() == {"q1": "sequence is lost"}
    gaps = [after - before for before, after in itertools.pairwise(waits)]
    assert 0.3 < gaps[0] < 0.5
    assert 24 <= gaps[-1] <= 36
    assert schedule.queues[2].next_look == NOW + EAGER_POLL
    assert not schedule.woken(1, now)
    assert schedule.queues[1].next_look > now


def test_a_broken_queue_that_works_again_is_news(schedule):
    assert first_round(schedule, look(1, "error", 60.0, "lost")) == []
    assert schedule.saw([look(1, "ticked", 0.01)], Due(False, [1]), NOW + 1) == [1]
    assert schedule.errors() == {}
    assert schedule.next_at() == pytest.approx(NOW + 1.01)


def test_what_is_due_soon_is_taken_along(schedule):
    first_round(schedule, look(1, "waiting", 0.0045), look(2, "waiting", 0.005))
    assert schedule.due(NOW + 0.0045) == Due(False, [1, 2])


def test_without_queues_there_are_only_glances(schedule):
    first_round(schedule)
    assert schedule.next_at() == NOW + 10.0
    assert not schedule.glance_due(NOW + 9.9)
    assert schedule.glance_due(NOW + 10)
    assert schedule.glanced([], [], NOW + 10) == []
    assert schedule.next_at() == NOW + 20.0
    assert not schedule.due(NOW + 10)


def test_a_glance_wakes_sleeping_queues_whose_producers_do_not_notify(schedule):
    now = put_to_sleep(schedule, look(1), look(2)) + 10
    assert schedule.glanced([1, 2], [2], now) == [2]
    assert schedule.due(now) == Due(False, [2])


def test_a_glance_leaves_the_awake_and_the_broken_to_the_clock(schedule):
    first_round(schedule, look(1, "waiting", 0.5), look(2, "error", None, "lost"))
    assert schedule.glanced([1, 2], [1, 2], NOW + 0.1) == []
    assert not schedule.due(NOW + 0.1)


def test_a_glance_at_other_queues_than_known_brings_a_full_round(schedule):
    now = put_to_sleep(schedule, look(1)) + 10
    assert schedule.glanced([1, 2], [2], now) == []
    assert schedule.due(now).everything
    schedule.saw([look(1), look(2)], Due(True, ()), now)
    assert math.isfinite(schedule.next_at())
    schedule.glanced([1, 2], [], now + 5)
    assert not schedule.due(now + 5).everything


def test_a_glance_that_stumbled_over_a_lock_is_not_repeated_soon(schedule):
    now = put_to_sleep(schedule, look(1)) + 10
    schedule.glance_failed(now)
    assert schedule.due(now).everything
    assert not schedule.glance_due(now + 29)
    assert schedule.glance_due(now + 30)
