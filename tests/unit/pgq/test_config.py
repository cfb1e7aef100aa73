# SPDX-License-Identifier: ISC
"""Keys of consumers: old names, checks."""

from __future__ import annotations

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError
from skytools.pgq import ConsumerConfig, RemoteConsumerConfig
from skytools.pgq.config import check_interval


@pytest.fixture
def read(tmp_path):
    def read(text, cls=ConsumerConfig):
        path = tmp_path / "job.ini"
        path.write_text(f"[anything]\n{text}\n", encoding="utf-8")
        return load(cls, path).config

    return read


BASE = "db = dbname=x\nqueue_name = q\n"


def test_the_consumer_is_named_after_the_job(read):
    assert read(BASE).consumer == "job"
    assert read(BASE + "job_name = j").consumer == "j"
    assert read(BASE + "consumer_name = c").consumer == "c"


def test_names_of_skytools_2_win(read):
    cfg = read(BASE + "consumer_name = c\npgq_queue_name = old_q\npgq_consumer_id = old_c")
    assert (cfg.queue_name, cfg.consumer) == ("old_q", "old_c")


def test_everything_missing_is_told_at_once(read):
    with pytest.raises(ConfigError) as caught:
        read("", RemoteConsumerConfig)
    assert {p.key for p in caught.value.problems} == {"db", "dst_db", "queue_name"}


def test_autocommit_needs_batches_in_memory(read):
    with pytest.raises(ConfigError, match="pgq_autocommit: needs pgq_lazy_fetch = 0"):
        read(BASE + "pgq_autocommit = 1")
    assert read(BASE + "pgq_autocommit = 1\npgq_lazy_fetch = 0").pgq_autocommit


def test_autocommit_does_not_go_with_another_database(read):
    with pytest.raises(ConfigError, match="does not go with work in another database"):
        read(BASE + "target_db = dbname=y\npgq_autocommit = 1", RemoteConsumerConfig)


@pytest.mark.parametrize(
    "text", ["5", "0.5", "5 s", "5sec", "1 hour 30 minutes", "2 days", "00:05", "1 day 00:05:00.5"]
)
def test_lengths_of_time(text):
    assert check_interval(text) is None


@pytest.mark.parametrize("text", ["soon", "5 parsecs", "-5", "5; drop table x", "'5'"])
def test_what_is_no_length_of_time(text):
    assert "is no length of time" in (check_interval(text) or "")


def test_a_bad_interval_names_its_key(read):
    with pytest.raises(ConfigError, match=r"\[anything\] pgq_keep_lag: 'soon' is no length"):
        read(BASE + "pgq_keep_lag = soon")
