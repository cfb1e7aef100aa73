# SPDX-License-Identifier: ISC
"""Keys of queue_loader: its own section, and one for each table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from skytools.core.config import Declared, JobKeys, option, options, settings
from skytools.core.errors import ConfigError, Problem
from skytools.core.ini import DEFAULT, IniFile
from skytools.core.registry import daemons, service_of
from skytools.pgq.cascade_worker import WorkerConfig

SERVICE = "queue_loader"
DATE_FIELD = "by-date-field:"
TIMES = {"year": "0000", "month": "00", "day": "00", "hour": "00"}


def check_pairs(text: str) -> str | None:
    """Return what is wrong with a list of `old:new`."""
    for item in text.split(","):
        old, colon, new = item.partition(":")
        if item.strip() and not (colon and old.strip() and new.strip()):
            return f"{item.strip()!r} is not of the form old:new"
    return None


def check_fields(text: str) -> str | None:
    """Return what is wrong with a list of columns: `*`, or `a, b:c`."""
    for item in text.split(","):
        old, colon, new = item.partition(":")
        if not old.strip() or (colon and not new.strip()):
            return "write *, or columns with commas; b:c loads column b into c"
    return None


def check_part(text: str) -> str | None:
    """Return what is wrong with the name of partitions."""
    return _check_names(text, {**TIMES, "table_name": "", "schema_name": ""})


def check_template(text: str) -> str | None:
    """Return what is wrong with the statement that makes a partition."""
    names = ("part", "dest", "parent", "pkey", "from", "to")
    return _check_names(text, dict.fromkeys(names, ""))


def _check_names(text: str, names: Mapping[str, str]) -> str | None:
    try:
        _ = text % names
    except KeyError as exc:
        return f"%({exc.args[0]})s is unknown; known: {', '.join(names)}"
    except (ValueError, TypeError):
        return "has a bad %: write %%(name)s, and %%%% for a percent sign"
    return None


def check_split_mode(text: str) -> str | None:
    """Return what is wrong with split_mode."""
    if text in ("by-batch-time", "by-event-time"):
        return None
    if text.startswith(DATE_FIELD) and text.removeprefix(DATE_FIELD).strip():
        return None
    return f"{text!r} is unknown: by-batch-time, by-event-time or {DATE_FIELD}COLUMN"


@settings
class LoaderConfig(WorkerConfig):
    """Keys of the section of the service."""

    config_file: Path | None = option(
        None, "File with the sections of tables, [schema.table] and [DEFAULT]; by itself this one."
    )
    rename_tables: str = option(
        "", "Tables that have other names here: old:new, with commas.", check=check_pairs
    )
    flush_rows: int = option(
        50_000, "Rows that are kept in memory at most before they are written.", min=1
    )

    def faults(self) -> list[tuple[str, str]]:
        """Check the sections of tables too; raises ConfigError for these."""
        load_tables(self.config_file)
        return WorkerConfig.faults(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableConfig:
    """Keys of the section of a table, or of [DEFAULT] for all of them."""

    LEGACY: ClassVar[Mapping[str, str]] = {}

    table_mode: str = option(
        "ignore",
        "ignore: leave its changes out; direct: into one table; split: into tables by time, made"
        " by split_part_template; partition: into a table that PostgreSQL partitions by range,"
        " whose partitions are made as they are needed.",
        choices=("ignore", "direct", "split", "partition"),
    )
    split_mode: str = option(
        "by-batch-time",
        "Which time counts: by-batch-time, by-event-time, or by-date-field:COLUMN, a text of the"
        " form YYYY-MM-DD HH:...; in a partitioned table the first two fill its partition column.",
        check=check_split_mode,
    )
    split_part: str = option(
        "%(table_name)s_%(year)s_%(month)s_%(day)s",
        "Name of a partition (in the file: %%(table_name)s ...); also schema_name, hour. Its"
        " smallest unit of time is that of partitions.",
        check=check_part,
    )
    split_part_template: str = option(
        "",
        "Statement that makes a missing partition: %%(part)s, %%(dest)s and %%(parent)s (the"
        " table), %%(pkey)s, %%(from)s, %%(to)s. Without it a missing one is an error in split"
        " mode, and is made by itself in partition mode.",
        check=check_template,
    )
    row_mode: str = option(
        "plain",
        "plain: each change is done; keep_latest: an update writes the row anew, deletes are left"
        " out; keep_all: updates are new rows too, deletes are left out; bulk: the net effect for"
        " each key, in few statements.",
        choices=("plain", "keep_latest", "keep_all", "bulk"),
    )
    bulk_mode: str = option(
        "correct",
        "How bulk updates: correct: as updates; delete: as delete and insert; merged: the same"
        " together with the inserts, so that a row that is there already does no harm.",
        choices=("correct", "delete", "merged"),
    )
    fields: str = option(
        "*", "Columns that are loaded: *, or a, b:c (b into column c).", check=check_fields
    )
    dest_table: str = option("", "Load into this table instead; it wins over rename_tables.")

    @property
    def date_field(self) -> str:
        """The column whose time counts, "" when it is that of batch or event."""
        return self.split_mode.partition(DATE_FIELD)[2].strip()

    def columns(self) -> dict[str, str] | None:
        """Return column of the event -> column of the table; None: all, by their names."""
        if self.fields.strip() == "*":
            return None
        pairs = (item.partition(":") for item in self.fields.split(","))
        return {old.strip(): (new or old).strip() for old, _, new in pairs}


def parse_pairs(text: str) -> dict[str, str]:
    """Return old -> new."""
    pairs = (item.partition(":") for item in text.split(",") if item.strip())
    return {old.strip(): new.strip() for old, _, new in pairs}


def load_tables(path: Path | None) -> dict[str, TableConfig]:
    """Return section -> keys, "" for those of all other tables. Raises ConfigError."""
    if path is None:
        return {"": TableConfig()}
    ini = IniFile(path)
    problems: list[Problem] = []
    found = {"": _read(ini, DEFAULT, problems)}
    for section in ini.sections():
        if service_of(section) not in daemons() and "." in section:
            _unknown_keys(ini, section, problems)
            found[section] = _read(ini, section, problems)
    if problems:
        raise ConfigError(problems)
    return found


def _unknown_keys(ini: IniFile, section: str, problems: list[Problem]) -> None:
    known = {declared.name for declared in options(TableConfig)}
    for key in ini.own_keys(section):
        if key not in known and key not in JobKeys.__dataclass_fields__:
            text = f"unknown key; a table has {', '.join(sorted(known))}"
            problems.append(Problem(str(ini.path), section, key, text))


def _read(ini: IniFile, section: str, problems: list[Problem]) -> TableConfig:
    values = {}
    for declared in options(TableConfig):
        try:
            text = ini.get(section, declared.name)
            if text is not None and text.strip():
                values[declared.name] = _convert(declared, text.strip())
        except ConfigError as exc:
            problems.extend(exc.problems)
        except ValueError as exc:
            problems.append(Problem(str(ini.path), section, declared.name, str(exc)))
    return TableConfig(**values)


def _convert(declared: Declared, text: str) -> str:
    fault = declared.option.check(text) if declared.option.check else None
    if fault:
        raise ValueError(fault)
    value: str = declared.convert(text)
    return value
