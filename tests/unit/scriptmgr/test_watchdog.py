# SPDX-License-Identifier: ISC
from __future__ import annotations

from skytools.scriptmgr.watchdog import ABORT_GRACE, Bite, Watchdog


def test_silent_until_the_first_sign_of_life() -> None:
    dog = Watchdog(5.0)
    assert dog.check(1e6) is Bite.NONE
    dog.ping(100.0)
    assert dog.check(104.9) is Bite.NONE
    assert dog.check(105.0) is Bite.ABORT


def test_abort_once_then_kill_after_the_grace() -> None:
    dog = Watchdog(5.0)
    dog.ping(0.0)
    assert dog.check(5.0) is Bite.ABORT
    assert dog.bitten
    assert dog.check(5.1) is Bite.NONE
    dog.ping(6.0)  # too late: it is being ended
    assert dog.check(5.0 + ABORT_GRACE) is Bite.KILL
    assert dog.check(5.1 + ABORT_GRACE) is Bite.NONE


def test_zero_watches_nothing() -> None:
    dog = Watchdog(0.0)
    dog.ping(0.0)
    dog.trigger(0.0)
    assert dog.check(1e9) is Bite.NONE
    assert dog.due is None


def test_extension_moves_the_deadline_and_a_ping_never_shortens_it() -> None:
    dog = Watchdog(5.0)
    dog.ping(0.0)
    dog.extend(1.0, 100.0)
    dog.ping(2.0)
    assert dog.due == 101.0


def test_trigger_bites_at_once() -> None:
    dog = Watchdog(5.0)
    dog.ping(0.0)
    dog.trigger(1.0)
    assert dog.check(1.0) is Bite.ABORT


def test_reset_forgets_the_old_process() -> None:
    dog = Watchdog(5.0)
    dog.ping(0.0)
    dog.check(5.0)
    dog.reset()
    assert not dog.bitten
    assert dog.check(1e6) is Bite.NONE
