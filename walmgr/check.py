# SPDX-License-Identifier: ISC
"""The verb `check`: what is wrong and what to do about it. Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skytools.walmgr import clock
from skytools.walmgr.config import WalmgrConfig
from skytools.walmgr.coverage import when
from skytools.walmgr.facts import Facts, newest_complete
from skytools.walmgr.sync import REMOTE_APPLY

OK, WARNING, CRITICAL = 0, 1, 2  # exit codes of monitoring plug-ins
WORDS = ("OK", "WARNING", "CRITICAL")

REPLAY_SECONDS = 300.0
SLOT_WARNING = 0.5  # part of what the slot may hold back
DISK_WARNING, DISK_CRITICAL = 0.10, 0.03
FULL_WARNING, FULL_CRITICAL = 7 * 86400.0, 86400.0
DEFAULT_BACKUP_AGE = 8 * 86400.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    level: int
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{WORDS[self.level]}: {self.text}; {self.remedy}"


def check(cfg: WalmgrConfig, facts: Facts) -> list[Finding]:
    """Return all findings, the worst first."""
    found = [
        *_primary(facts), *_standby(facts), *_receiver(cfg, facts), *_archive(facts),
        *_sets(cfg, facts), *_drill(cfg, facts), *_disk(facts), *_offsite(cfg, facts),
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one.level)


def _standby_remedy(facts: Facts) -> str:
    why = facts.silence.get("standby", "")
    if any(text in why for text in ("authentication failed", "pg_hba.conf", "password")):
        return "let that user in by its pg_hba.conf, or set slave_db to another way"
    return "start it, then `rejoin` if it was the primary; `restore` makes it anew"


def _why(facts: Facts, role: str) -> str:
    return f"{facts.silence[role]}; " if role in facts.silence else ""


def _primary(facts: Facts) -> Iterator[Finding]:
    primary = facts.primary
    if primary is None:
        remedy = _why(facts, "primary") + "start it, or `boot` makes the standby primary"
        yield Finding(CRITICAL, "the primary does not answer", remedy)
        return
    if primary["in_recovery"]:
        yield Finding(CRITICAL, "the primary of the ini is a standby", "correct master_db")
        return
    if primary["restart"]:
        names = ", ".join(primary["restart"])
        yield Finding(WARNING, f"the primary needs a restart for {names}", "`pair --restart`")
    if text := clock.told(float(primary["now"]) - facts.moment):
        yield Finding(WARNING, text, "synchronise them, or times of recovery mislead")
    known = facts.archive.get("system_id")
    if known not in (None, 0, primary["system_id"]):
        text = f"the archive is of another cluster ({known})"
        yield Finding(CRITICAL, text, "correct walmgr_data or master_db")


def _standby(facts: Facts) -> Iterator[Finding]:
    standby, primary = facts.standby, facts.primary
    if standby is None:
        remedy = _why(facts, "standby") + _standby_remedy(facts)
        yield Finding(CRITICAL, "the standby does not answer", remedy)
        return
    if not standby["in_recovery"]:
        yield Finding(CRITICAL, "the standby is no standby any more", "`rejoin` makes it one")
        return
    if primary is not None and standby["system_id"] != primary["system_id"]:
        yield Finding(CRITICAL, "the standby is of another cluster", "correct slave_data")
    if primary is not None and standby["stream"] != "streaming":
        text = "the standby does not stream from the primary"
        yield Finding(WARNING, text, "look into its log; pg_hba.conf must allow replication")
    if standby["pause_state"] != "not paused":
        end = standby.get("pause_until")
        text = "replay on the standby is paused" + (f" until {when(end)}" if end else "")
        yield Finding(WARNING, text, "`continue` resumes it")
    elif float(standby["replay_seconds"] or 0) > REPLAY_SECONDS:
        text = f"replay on the standby is {float(standby['replay_seconds']):.0f} s behind"
        yield Finding(WARNING, text, "look for long queries there")


def _receiver(cfg: WalmgrConfig, facts: Facts) -> Iterator[Finding]:
    if not facts.receiver_runs:
        yield Finding(
            CRITICAL, "the receiver does not run", "start the service, or `walmgr INI` by hand"
        )
    if facts.primary is None or facts.primary["in_recovery"]:
        return
    if cfg.synchronous != "off" and facts.primary.get("commits") == REMOTE_APPLY:
        text = "commits do not wait: synchronous_commit = remote_apply would wait for ever"
        yield Finding(CRITICAL, text, "set synchronous_commit = on, the receiver applies nothing")
    slot = facts.slot
    if slot is None:
        yield Finding(CRITICAL, "the replication slot is missing", "`pair` makes it")
    elif slot["wal_status"] == "lost":
        text = "the replication slot is lost: WAL is missing in the archive"
        yield Finding(CRITICAL, text, "`pair` renews it and makes a backup set")
    elif slot["safe_wal_size"] is not None:
        whole = slot["safe_wal_size"] + (slot["behind"] or 0)
        if (slot["behind"] or 0) > SLOT_WARNING * whole:
            text = f"the slot holds back {slot['behind'] >> 20} MB of at most {whole >> 20} MB"
            yield Finding(WARNING, text, "start the receiver before it is lost")


def _archive(facts: Facts) -> Iterator[Finding]:
    archive, primary = facts.archive, facts.primary
    if archive.get("missing_folder"):
        yield Finding(CRITICAL, "the archive's folder is missing", "mount it, or `pair` makes it")
        return
    if archive["gaps"]:
        text = f"the archive has {len(archive['gaps'])} gaps, first {archive['gaps'][0]}"
        yield Finding(CRITICAL, text, "`backup`: recovery cannot pass a gap")
    if lost := archive.get("lost_history"):
        text = f"{lost} is missing, the archive has WAL of its timeline"
        yield Finding(CRITICAL, text, "bring it there from a server's pg_wal")
    if archive["conflicts"]:
        text = f"{len(archive['conflicts'])} files were refused, first {archive['conflicts'][0]}"
        remedy = "two servers write here, or a file of the archive is damaged: the log says which; "
        yield Finding(CRITICAL, text, f"{remedy}mend it, then remove .conflicts")
    if primary is not None and (primary.get("last_failed") or 0) > (
        primary.get("last_archived") or 0
    ):
        text = f"archive_command fails for {primary['last_failed_wal']}"
        yield Finding(WARNING, text, "the primary's log says why")


def _sets(cfg: WalmgrConfig, facts: Facts) -> Iterator[Finding]:
    newest = newest_complete(facts.sets)
    if newest is None:
        yield Finding(CRITICAL, "there is no complete backup set", "`backup`")
        return
    count = sum(one.complete for one in facts.sets)
    if count < cfg.policy.minimum:
        text = f"{count} of {cfg.policy.minimum} backup sets that are asked for"
        yield Finding(WARNING, text, "`backup`")
    limit = 2 * cfg.backup_interval * 3600 or DEFAULT_BACKUP_AGE
    age = facts.moment - newest.finished
    if age > limit:
        yield Finding(WARNING, f"the newest backup set is {age / 3600:.0f} h old", "`backup`")


def _drill(cfg: WalmgrConfig, facts: Facts) -> Iterator[Finding]:
    last = facts.drill
    if last is not None and not last.good:
        text = f"the last trial restore failed: {last.text}"
        yield Finding(CRITICAL, text, "`drill` tries again, `backup` makes another set")
    elif cfg.drill_interval and last is not None:
        age = (facts.moment - last.moment) / 3600
        if age > 2 * cfg.drill_interval:
            yield Finding(WARNING, f"the last trial restore was {age:.0f} h ago", "`drill`")


def _disk(facts: Facts) -> Iterator[Finding]:
    if facts.disk_free < DISK_WARNING:
        level = CRITICAL if facts.disk_free < DISK_CRITICAL else WARNING
        text = f"{facts.disk_free:.0%} of the disk of {facts.fullest} is free"
        yield Finding(level, text, "make room: lower retention and `expire`")
    after = facts.disk.full_after if facts.disk else None
    if after is not None and after < FULL_WARNING:
        level = CRITICAL if after < FULL_CRITICAL else WARNING
        text = f"the archive's disk will be full in {after / 3600:.0f} h"
        yield Finding(level, text, "make room, or lower retention")


def _offsite(cfg: WalmgrConfig, facts: Facts) -> Iterator[Finding]:
    if facts.offsite is None or not cfg.offsite_interval:
        return
    age = facts.moment - (facts.offsite["finished"] or 0.0)
    if age > 2 * cfg.offsite_interval * 60:
        pending = facts.offsite["pending"]
        text = f"the off-site copy is late: {pending} files are not there"
        yield Finding(WARNING, text, "`offsite` tells why")
