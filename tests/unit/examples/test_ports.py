# SPDX-License-Identifier: ISC
"""Two demos that are begun at once do not get the same port."""

from __future__ import annotations

import socket
import subprocess
import sys

from examples.demo.ports import claim_port
from tests.fixtures.process import ROOT

ANOTHER = "import sys; from examples.demo.ports import claim_port; print(claim_port(%d))"


def test_a_port_that_was_claimed_is_given_to_nobody_else() -> None:
    usual = claim_port()
    assert claim_port(usual) != usual
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER % usual], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert int(done.stdout) != usual


def test_a_port_in_use_is_not_claimed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        used = server.getsockname()[1]
        assert claim_port(used) != used
