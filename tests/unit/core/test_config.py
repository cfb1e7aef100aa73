# SPDX-License-Identifier: ISC
"""Settings: conversion, ranges, and all faults of a file at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from skytools.core.config import (
    REQUIRED,
    DaemonConfig,
    choose_section,
    load,
    option,
    settings,
)
from skytools.core.db import check_conninfo
from skytools.core.errors import ConfigError
from skytools.core.ini import IniFile
from skytools.core.template import render_docs, render_ini


@settings
class SampleConfig(DaemonConfig):
    LEGACY: ClassVar[Mapping[str, str]] = {**DaemonConfig.LEGACY, "old_key": "it is automatic"}

    db: str = option(REQUIRED, "Connect string.", check=check_conninfo, example="dbname=shop")
    period: float = option(1.0, "How often.", unit="s", min=0.01, max=60)
    count: int = option(3, "How many.", min=1)
    quiet: bool = option(False, "Say less.")
    names: tuple[str, ...] = option((), "Names.")
    color: str = option("red", "Colour.", choices=("red", "green"))
    queue_name: str = option("q", "Queue.", aliases=("pgq_queue_name",))

    def faults(self) -> list[tuple[str, str]]:
        if self.quiet and self.count > 5:
            return [("count", "must be 5 or less with quiet")]
        return []


def read(tmp_path: Path, body: str, **overrides: str) -> SampleConfig:
    path = tmp_path / "job.ini"
    path.write_text(f"[sample]\n{body}", encoding="utf-8")
    return load(SampleConfig, path, "sample", overrides).config


def faults(tmp_path: Path, body: str, **overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, body, **overrides)
    return [f"{p.key}: {p.text}" for p in caught.value.problems]


def test_values_get_their_declared_types(tmp_path):
    cfg = read(
        tmp_path,
        "db = dbname=x\nperiod = .5\ncount = 7\nquiet = no\nnames = a, b ,,c\ncolor = green\n"
        "logfile = ~/x.log\n",
    )
    assert (cfg.period, cfg.count, cfg.quiet) == (0.5, 7, False)
    assert cfg.names == ("a", "b", "c")
    assert cfg.logfile == Path.home() / "x.log"
    assert cfg.job_name == "job"


def test_home_of_nobody_is_a_fault(tmp_path):
    found = faults(tmp_path, "db = dbname=x\nlogfile = ~no-such-user/x.log\n")
    assert found == ["logfile: ~no-such-user/x.log: there is no such user's home"]


def test_every_fault_is_reported_at_once(tmp_path):
    found = faults(
        tmp_path, "db = nonsense here\nperiod = soon\ncount = 0\nquiet = maybe\ncolour = red\n"
    )
    assert found == [
        "colour: unknown key; did you mean color?",
        found[1],
        "period: 'soon' is not a number",
        "count: 0 is too small: at least 1",
        "quiet: 'maybe' is neither yes (1, true, on) nor no (0, false, off)",
    ]
    assert found[1].startswith("db: is no connect string: ")


def test_fault_lines_name_file_section_and_key(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "period = x\ndb =\n")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path}/job.ini: [sample] db: must not be empty"
    assert lines[1].startswith(f"{tmp_path}/job.ini: [sample] period: ")


def test_required_key_shows_an_example(tmp_path):
    assert faults(tmp_path, "") == ["db: must be set, for example: dbname=shop"]


def test_infinite_numbers_are_refused(tmp_path):
    assert faults(tmp_path, "db=\nperiod = inf\n")[-1] == "period: 'inf' is not a finite number"


def test_settings_that_do_not_fit_together_are_refused(tmp_path):
    found = faults(tmp_path, "db = dbname=x\nquiet = 1\ncount = 9\n")
    assert found == ["count: must be 5 or less with quiet"]


def test_legacy_key_warns_and_is_accepted(tmp_path):
    path = tmp_path / "job.ini"
    path.write_text("[sample]\ndb = dbname=x\nold_key = 1\nuse_skylog = 1\n", encoding="utf-8")
    warnings = load(SampleConfig, path, "sample").warnings
    assert len(warnings) == 2
    assert "old_key: no longer has an effect: it is automatic" in warnings[0]


def test_manager_keys_are_accepted_silently(tmp_path):
    path = tmp_path / "job.ini"
    keys = "script = /x.py\ndisabled = 1\npriority = 5\n"
    path.write_text(f"[sample]\ndb = dbname=x\n{keys}", encoding="utf-8")
    assert load(SampleConfig, path, "sample").warnings == ()


def test_older_name_of_a_key_wins(tmp_path):
    cfg = read(tmp_path, "db = dbname=x\nqueue_name = new\npgq_queue_name = old\n")
    assert cfg.queue_name == "old"


def test_overrides_win_and_are_named_in_faults(tmp_path):
    assert read(tmp_path, "db = dbname=x\ncount = 4\n", count="6").count == 6
    with pytest.raises(ConfigError, match=r"^--set: \[sample\] count: "):
        read(tmp_path, "db = dbname=x\n", count="many")


def test_keys_of_default_are_not_unknown(tmp_path):
    path = tmp_path / "job.ini"
    path.write_text("[DEFAULT]\nforeign = 1\n[sample]\ndb = dbname=x\n", encoding="utf-8")
    assert load(SampleConfig, path, "sample").warnings == ()


def test_missing_section_names_those_found(tmp_path):
    path = tmp_path / "job.ini"
    path.write_text("[other]\nx = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"section \[sample\] is missing; found: \[other\]"):
        load(SampleConfig, path, "sample")
    assert choose_section(IniFile(path), "") == "other"


def test_old_name_of_a_service_is_its_section(tmp_path):
    path = tmp_path / "job.ini"
    path.write_text("[queue_mover3]\nx = 1\n[other]\n", encoding="utf-8")
    assert choose_section(IniFile(path), "queue_mover") == "queue_mover3"


def test_template_is_a_configuration_that_loads(tmp_path):
    text = render_ini(SampleConfig, "sample", "Sample.")
    path = tmp_path / "job.ini"
    path.write_text(text, encoding="utf-8")
    assert load(SampleConfig, path, "sample").config == SampleConfig(
        db="dbname=shop", job_name="job"
    )


def test_commented_defaults_of_the_template_mean_what_they_say(tmp_path):
    text = render_ini(SampleConfig, "sample").replace("\n#", "\n").replace("\n ", "\n# ")
    path = tmp_path / "job.ini"
    path.write_text(text, encoding="utf-8")
    assert load(SampleConfig, path, "sample").config == SampleConfig(
        db="dbname=shop", job_name="job"
    )


def test_docs_list_every_key():
    text = render_docs(SampleConfig)
    for key in ("`db`", "`period`", "`job_name`", "`old_key`"):
        assert key in text
    assert "red \\| green" in text
