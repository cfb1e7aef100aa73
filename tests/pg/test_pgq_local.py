# SPDX-License-Identifier: ISC
"""LocalConsumer: the file's position wins."""

from __future__ import annotations

import argparse

import pytest

from skytools.core.config import load
from skytools.core.errors import ConfigError, LostPosition, SkytoolsError, TransientError
from skytools.core.service import AGAIN
from skytools.pgq import LocalConsumer, LocalConsumerConfig


class Keeper(LocalConsumer):
    poison = ""

    def __init__(self, ctx, cfg):
        super().__init__(ctx, cfg)
        self.got: list[str] = []

    def process_event(self, event):
        if event.data == self.poison:
            raise ValueError("no")
        self.got.append(event.data)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "job.tick"


@pytest.fixture
def make(queue, make_consumer, file):
    return lambda **keys: make_consumer(Keeper, local_tracking_file=file, **keys)


@pytest.fixture
def consumer(make):
    consumer = make()
    consumer.step()
    return consumer


def events(queue, *data):
    ticks = []
    for one in data:
        queue.db.query("select pgq.insert_event('q', 't', %s)", (one,))
        ticks.append(queue.tick())
    return ticks


def position(file):
    return int(file.read_text())


def command(consumer, name):
    consumer.command(argparse.Namespace(command=name))


def test_file_and_queue_move_together(queue, consumer, file):
    assert position(file) == queue.position("job") == queue.last_tick()
    events(queue, "1", "2")
    consumer.step()
    consumer.step()
    assert consumer.got == ["1", "2"]
    assert position(file) == queue.position("job") == queue.last_tick()


def test_a_batch_whose_end_is_in_the_file_is_not_done_again(queue, consumer, file):
    """The process died between the file and finish_batch."""
    events(queue, "1")
    finish = consumer._reader.finish

    def die(batch):
        raise TransientError("died")

    consumer._reader.finish = die
    with pytest.raises(TransientError):
        consumer.step()
    consumer.ctx.close_databases()
    assert position(file) != queue.position("job")
    assert finish
    events(queue, "2")
    consumer.step()
    assert consumer.got == ["1", "2"]
    assert position(file) == queue.position("job")


def test_a_failed_batch_comes_again(queue, consumer, file):
    events(queue, "1")
    before = position(file)
    consumer.poison = "1"
    with pytest.raises(ValueError, match="no"):
        consumer.step()
    consumer.ctx.close_databases()
    assert position(file) == before
    consumer.poison = ""
    consumer.step()
    assert consumer.got == ["1"]


@pytest.mark.parametrize("unregistered", [False, True])
def test_the_queue_is_moved_to_the_file_at_start(queue, make, file, caplog, unregistered):
    """As after a restore of the consumer's machine, or of the queue's database."""
    first = queue.last_tick()
    events(queue, "1", "2")
    if not unregistered:
        queue.db.query("select pgq.register_consumer('q', 'job')")
    file.write_text(f"{first}\n")
    consumer = make()
    assert consumer.step() is AGAIN
    assert f"moved to tick {first} of {file}" in caplog.text
    consumer.step()
    assert consumer.got == ["1", "2"]


def test_without_a_file_the_queue_is_right(queue, make, file):
    first = queue.last_tick()
    queue.db.query("select pgq.register_consumer('q', 'job')")
    events(queue, "1")
    make().step()
    assert position(file) == queue.last_tick()
    assert first < position(file)


def test_a_position_changed_while_it_runs_is_noticed(queue, consumer, file):
    first = position(file)
    events(queue, "1", "2")
    consumer.step()
    consumer.step()
    queue.db.query("select pgq.register_consumer_at('q', 'job', %s)", (first,))
    with pytest.raises(SkytoolsError, match="position was changed by somebody else"):
        consumer.step()
    assert consumer.step() is not AGAIN
    assert consumer.got == ["1", "2"]


def test_a_tick_that_the_queue_has_not_stops_it(queue, make, file):
    file.write_text("9999\n")
    with pytest.raises(LostPosition, match=r"says tick 9999, which the queue .*--reset"):
        make().step()


@pytest.mark.parametrize("text", ["", "abc", "-5", "1 2"])
def test_a_file_without_a_tick_stops_it(queue, make, file, text):
    """Never taken for no file: that would leave out events."""
    file.write_text(text)
    with pytest.raises(LostPosition, match="holds no tick"):
        make().step()
    assert file.read_text() == text


def test_rewind_and_reset(queue, consumer, file):
    first = position(file)
    events(queue, "1")
    consumer.step()
    last = position(file)
    file.write_text(f"{first}\n")
    command(consumer, "rewind")
    assert queue.position("job") == first
    file.write_text("9999\n")
    command(consumer, "reset")
    assert position(file) == queue.position("job") == first != last


def test_rewind_without_a_file_is_refused(queue, make):
    with pytest.raises(SkytoolsError, match="there is no file, so no position to go to"):
        command(make(), "rewind")


def test_register_and_unregister(queue, make, file):
    consumer = make(auto_register=False)
    with pytest.raises(SkytoolsError, match="is not registered"):
        consumer.step()
    command(consumer, "register")
    assert position(file) == queue.position("job")
    command(consumer, "unregister")
    assert not file.exists()
    assert queue.position("job") is None


def test_retry_is_refused(queue, consumer):
    events(queue, "1")
    consumer.process_event = lambda event: event.tag_retry()
    with pytest.raises(SkytoolsError, match="cannot be retried: order would be lost"):
        consumer.step()


def test_a_file_that_cannot_be_written_leaves_the_batch_open(queue, consumer, file):
    events(queue, "1")
    before = position(file)
    file.with_name("job.tick.new").mkdir()
    with pytest.raises(SkytoolsError, match="cannot be written: Is a directory"):
        consumer.step()
    consumer.ctx.close_databases()
    assert position(file) == before == queue.position("job")


def test_the_folder_must_exist(tmp_path):
    path = tmp_path / "job.ini"
    path.write_text(
        f"[x]\ndb = dbname=x\nqueue_name = q\nlocal_tracking_file = {tmp_path}/no/x.tick\n"
    )
    with pytest.raises(ConfigError, match=r"local_tracking_file: there is no folder .*/no; "):
        load(LocalConsumerConfig, path)
