# SPDX-License-Identifier: ISC
"""ISO timestamps. Source: skytools.timeutil of Skytools 3."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

__all__ = ["FixedOffsetTimezone", "datetime_to_timestamp", "parse_iso_timestamp"]

_ISO = re.compile(
    r"(\d\d\d\d)-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?"
    r"(?:\s*([-+])(\d\d):?(\d\d)?|\s*(Z))?",
    re.ASCII,
)


class FixedOffsetTimezone(tzinfo):
    """A time zone so many minutes east of UTC."""

    def __init__(self, offset: int) -> None:
        self._offset = timedelta(minutes=offset)
        hours, minutes = divmod(abs(offset), 60)
        sign = "-" if offset < 0 else "+"
        self._name = f"{sign}{hours:02d}:{minutes:02d}" if minutes else f"{sign}{hours:02d}"

    def __getinitargs__(self) -> tuple[int]:
        return (int(self._offset.total_seconds() // 60),)

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """Return the offset."""
        return self._offset

    def tzname(self, dt: datetime | None) -> str:
        """Return the offset as text."""
        return self._name

    def dst(self, dt: datetime | None) -> timedelta:
        """Return zero."""
        return timedelta(0)


def parse_iso_timestamp(s: str, default_tz: tzinfo | None = None) -> datetime:
    """Return the moment that `YYYY-MM-DD HH:MM[:SS[.fraction]][zone]` says. Raises ValueError.

    `default_tz` is for text without a zone; None gives a naive datetime.
    """
    match = _ISO.fullmatch(s)
    if match is None:
        raise ValueError(f"date not in ISO format: {s!r}")
    numbers = [int(number or 0) for number in match.groups()[:6]]
    micros = int((match[7] or "").ljust(6, "0"))
    zone: tzinfo | None = default_tz
    if match[8]:
        minutes = int(match[9]) * 60 + int(match[10] or 0)
        zone = FixedOffsetTimezone(-minutes if match[8] == "-" else minutes)
    elif match[11]:
        zone = FixedOffsetTimezone(0)
    year, month, day, hour, minute, second = numbers
    return datetime(year, month, day, hour, minute, second, micros, zone)


def datetime_to_timestamp(dt: datetime, local_time: bool = True) -> float:
    """Return seconds since 1970; a naive datetime is local time, or UTC."""
    if dt.tzinfo is None and not local_time:
        dt = dt.replace(tzinfo=UTC)
    return dt.timestamp()
