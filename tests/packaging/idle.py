# SPDX-License-Identifier: ISC
"""A consumer that has nothing to do."""

from skytools.pgq import Consumer, Event, run


class Idle(Consumer):
    """Forgets what it is given."""

    def process_event(self, event: Event) -> None:
        """Forget the event."""


if __name__ == "__main__":
    run(Idle)
