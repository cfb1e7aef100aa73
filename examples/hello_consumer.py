# SPDX-License-Identifier: ISC
"""A consumer. Try it: `python hello_consumer.py hello.ini`."""

from skytools.pgq import Consumer, Event, run


class Hello(Consumer):
    """Prints what comes."""

    def process_event(self, event: Event) -> None:
        """Work on one event; changes made through self.db are committed with the batch."""
        print(f"{event.id}: {event.type}: {event.data}", flush=True)


if __name__ == "__main__":
    run(Hello)
