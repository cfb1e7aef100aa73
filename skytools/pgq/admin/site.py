# SPDX-License-Identifier: ISC
"""What the calling program knows: where it is, and what it adds."""

from __future__ import annotations

from dataclasses import dataclass, field

from skytools.pgq.admin.hooks import Hooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The node at which a command is given.

    `db` is the connect string of its database. `worker` is the name of the node's worker, for a
    node that is made and to tell it from other consumers; empty: whatever the node says. The next
    three are defaults of the ini for a new node. `extra_connstr` is added to the connect strings
    of other nodes.
    """

    queue: str
    db: str
    worker: str = ""
    node_name: str = ""
    public_location: str = ""
    provider_location: str = ""
    extra_connstr: str = ""
    hooks: Hooks = field(default_factory=Hooks)
