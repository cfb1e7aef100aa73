# SPDX-License-Identifier: ISC
"""What `status` says of what is not known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from skytools.walmgr.facts import Facts
from skytools.walmgr.status import status_lines


def test_a_receiver_that_has_just_connected_is_not_said_to_lack_anything() -> None:
    sender = {"state": "startup", "sync_state": "async", "behind": None}
    facts = Facts(
        0.0, archive={"missing_folder": True}, receiver_runs=True,
        senders={"walmgr_receiver": sender},
    )  # fmt: skip
    node = SimpleNamespace(name="x")
    site: Any = SimpleNamespace(leader=node, follower=node)
    assert "receiver  startup, async" in list(status_lines(site, facts))
    facts.senders["walmgr_receiver"] = {**sender, "behind": 7}
    assert "receiver  startup, async; 7 bytes are not there yet" in list(status_lines(site, facts))
