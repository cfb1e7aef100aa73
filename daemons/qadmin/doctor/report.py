# SPDX-License-Identifier: ISC
"""`doctor`: every check in turn, and the findings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from skytools.core.errors import SkytoolsError, TransientError, UsageError
from skytools.daemons.qadmin.doctor import capture, cascade, consumers, install, rotation, ticker
from skytools.daemons.qadmin.doctor.checks import Check, Finding, Look
from skytools.daemons.qadmin.session import Session, Told, positive
from skytools.daemons.qadmin.style import BOLD, DIM, GREEN, RED, paint

AGE = 300.0
FREE = 10.0
EXIT_FOUND = 3

CHECKS: tuple[Check, ...] = (
    *install.CHECKS,
    *ticker.CHECKS,
    *rotation.CHECKS,
    *consumers.CHECKS,
    *capture.CHECKS,
    *cascade.CHECKS,
)


def doctor(session: Session, values: dict[str, Any]) -> None:
    """Look for faults and tell them. Raises Told with exit code 3 when there are any."""
    options = values.get("options", {})
    age = positive(options["age"], "age") if "age" in options else AGE
    free = positive(options["free"], "free") if "free" in options else FREE
    if free > 100:
        raise UsageError(f"free: {free:g} is more than 100 percent")
    findings, skipped = examine(session, age, free)
    if session.out.as_json:
        data = {"findings": [dataclasses.asdict(one) for one in findings], "skipped": skipped}
        session.out.data(data)
    else:
        _tell(session, findings, skipped)
    if findings:
        raise Told(EXIT_FOUND)


def examine(
    session: Session, age: float = AGE, free: float = FREE, checks: Iterable[Check] = CHECKS
) -> tuple[list[Finding], dict[str, str]]:
    """Return what is found, and fault -> why it was not looked for."""
    there = _schemas(session)
    look = Look(session.db, age, free, {k: v for k, v in there.items() if v})
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    for check in checks:
        if check.schema and check.schema not in there:
            continue
        try:
            findings += check.findings(look)
        except TransientError:
            raise
        except SkytoolsError as exc:
            skipped[check.fault] = str(exc)
    return findings, skipped


def _schemas(session: Session) -> dict[str, str]:
    """Return what checks can be about -> version, "" for single functions and tables."""
    found: dict[str, str] = {}
    for name in install.OURS:
        if session.db.value("select to_regproc(%s)", (f"{name}.version",)):
            version = session.db.value(f"select {name}.version()")  # of our names
            found[name] = version or "0"
    for name, kind in (("why_not_rotated", "to_regproc"), ("failed_queue", "to_regclass")):
        if session.db.value(f"select {kind}(%s)", (f"pgq.{name}",)):  # of our names
            found[name] = ""
    return found


def _tell(session: Session, findings: list[Finding], skipped: dict[str, str]) -> None:
    def put(text: str, *codes: str) -> None:
        session.out.line(paint(text, *codes) if session.colour else text)

    means = {check.fault: check.means for check in CHECKS}
    for one in findings:
        put(f"{one.fault}: {means[one.fault]}", BOLD, RED)
        put(f"    {one.subject}: {one.seen}")
        if one.advice:
            put(f"    {one.advice}")
        if one.mend:
            put(f"    => {one.mend}", BOLD)
    for fault, why in skipped.items():
        put(f"not looked for {fault}: {why}", DIM)
    if findings:
        put(f"{len(findings)} fault{'' if len(findings) == 1 else 's'} found")
    else:
        put(f"nothing is wrong ({len(CHECKS) - len(skipped)} faults were looked for)", GREEN)
