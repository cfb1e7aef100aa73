# SPDX-License-Identifier: ISC
"""Commands that make nodes: create-root, create-branch, create-leaf, install."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from skytools.core.db import Database, check_conninfo, sql
from skytools.core.errors import DatabaseError, SkytoolsError, UsageError
from skytools.pgq import api
from skytools.pgq import node as pgq_node
from skytools.pgq.admin import calls
from skytools.pgq.admin.facts import NodeInfo
from skytools.pgq.admin.job import Job
from skytools.pgq.admin.members import Node, look_at
from skytools.pgq.admin.move import refuse
from skytools.pgq.admin.plan import Plan, Step
from skytools.pgq.admin.takeover import rights

NOT_ALLOWED = "42501"  # insufficient_privilege


def install(job: Job) -> int:
    """Command: make the extensions."""
    missing = missing_extensions(job)
    if not missing:
        job.say("all extensions are there")
    Plan(job, "install", extension_steps(job, missing)).carry_out()
    return 0


def missing_extensions(job: Job) -> list[str]:
    """Return the extensions whose schemas the local database lacks."""
    db = job.cascade.db
    there = {row[0] for row in db.query("select nspname from pg_catalog.pg_namespace")}
    db.rollback()
    return [name for name in job.site.hooks.extensions if name not in there]


def extension_steps(job: Job, missing: list[str]) -> list[Step]:
    """Return a step for each extension."""
    return [
        Step(f"extension-{name}", f"make extension {name}", partial(_extend, job.cascade.db, name))
        for name in missing
    ]


def _extend(db: Database, name: str) -> None:
    try:
        db.execute(
            sql.SQL("create extension if not exists {}").format(sql.Identifier(name))
        ).close()
    except DatabaseError as exc:
        if exc.sqlstate != NOT_ALLOWED:
            raise
        raise SkytoolsError(
            f"{db.name}: the role may not make extension {name}: have a superuser run there:"
            f" create extension {name} cascade"
        ) from exc
    db.commit()


def create_root(job: Job) -> int:
    """Command: make the local database the root of a new cascade."""
    return _create(job, "root")


def create_branch(job: Job) -> int:
    """Command: make the local database a branch."""
    return _create(job, "branch")


def create_leaf(job: Job) -> int:
    """Command: make the local database a leaf."""
    return _create(job, "leaf")


class _New:
    """The node that is to be made; `location` is where other nodes find it."""

    def __init__(self, job: Job, kind: str) -> None:
        site = job.site
        self.kind = kind
        self.name: str = job.opts.name or site.node_name
        self.location: str = job.opts.connstr or site.public_location
        self.worker: str = job.switch("worker") or job.switch("consumer") or site.worker
        self.merge: str | None = job.switch("merge") or None
        partners = job.switch("sync-watermark")
        self.attributes = urlencode({"sync_watermark": partners}) if partners else None
        if not self.name:
            raise UsageError("which name? Give it as an argument, or as node_name in the ini")
        if not self.location:
            raise UsageError(
                "how do other nodes reach this one? Give a connect string as an argument, or as"
                " public_node_location in the ini"
            )
        if not self.worker:
            raise UsageError("which worker? Give its name with --worker")
        fault = check_conninfo(self.location)
        if fault:
            raise UsageError(f"the public connect string {fault}")


def _create(job: Job, kind: str) -> int:
    db = job.cascade.db
    known = look_at(db, job.cascade.queue)
    if known is not None:
        return _known_already(job, kind, known)
    new = _New(job, kind)
    node = Node(new.name, job.cascade.queue, db, new.location)
    missing = missing_extensions(job)
    if not job.switch("nocheck"):
        check_location(db, new.location)
    if not missing:
        refuse(rights(node))
    if kind == "root":
        if job.switch("provider"):
            raise UsageError("a root has no --provider")
        steps = [Step("create", f"make root {new.name}", partial(_make_root, job, node, new))]
    else:
        steps = Below(job, node, new).steps()
    plan = Plan(job, f"create-{kind} {new.name}", [*extension_steps(job, missing), *steps])
    plan.carry_out()
    if not job.switch("dry-run"):
        job.say(
            f"node {new.name} is a {kind} of the cascade of queue {node.queue}"
            f" with worker {new.worker}"
        )
        _say_json(job, new.name, kind, new.worker)
    return 0


def _known_already(job: Job, kind: str, info: NodeInfo) -> int:
    name = job.opts.name or job.site.node_name
    if info.node_type != kind or (name and name != info.node_name):
        raise SkytoolsError(
            f"the database is node {info.node_name} ({info.node_type}) of the cascade of queue"
            f" {job.cascade.queue} already"
        )
    if job.switch("dry-run"):
        Plan(job, "", []).print()
        return 0
    job.say(f"node {info.node_name} is initialized already")
    _say_json(job, info.node_name, kind, info.worker_name)
    return 0


def _say_json(job: Job, name: str, kind: str, worker: str) -> None:
    if job.out.as_json:
        job.out.data({"node": name, "type": kind, "queue": job.cascade.queue, "worker": worker})


def _make_root(job: Job, node: Node, new: _New) -> None:
    db, queue = node.db, node.queue
    pgq_node.register_location(db, queue, new.name, new.location, dead=False)
    calls.create_node(db, queue, "root", new.name, new.worker)
    job.site.hooks.on_create(node, None)
    db.commit()


class Below:
    """A node that is made below another one.

    Known on the root -> known on the provider -> subscribed there at the global watermark -> made.
    """

    def __init__(self, job: Job, node: Node, new: _New) -> None:
        self.job = job
        self.node = node
        self.new = new
        self.queue = node.queue
        where = job.switch("provider") or job.site.provider_location
        if not where:
            raise UsageError(
                "where is the provider? Give --provider=CONNSTR, or initial_provider_location"
                " in the ini"
            )
        fault = check_conninfo(where)
        if fault:
            raise UsageError(f"--provider {fault}")
        self.provider = job.cascade.connect(where)
        self.members = {one.node: one for one in pgq_node.locations(self.provider.db, self.queue)}
        self.provider.db.rollback()
        self.provider.location = self.members[self.provider.name].location
        self.root = self._find_root()
        self.watermark = 0
        refuse(self._objections())

    def _find_root(self) -> Node:
        """Walk up from the provider."""
        node = self.provider
        seen = set()
        while not node.info.is_root:
            seen.add(node.name)
            above = node.info.provider_node
            if above in seen or above not in self.members:
                raise SkytoolsError(f"the way from {self.provider.name} up to the root is broken at"
                                    f" {node.name}: its provider is {above}")  # fmt: skip
            node = self.job.cascade.connect(self.members[above].location, above)
            node.look()
        return node

    def _objections(self) -> list[str]:
        new, provider = self.new, self.provider
        found = []
        if provider.info.is_leaf:
            found.append(f"node {provider.name} is a leaf: nobody can read from it")
        # What an earlier run of this command has registered is taken up.
        known = self.members.get(new.name)
        if known is not None and known.location != new.location:
            found.append(f"the cascade has a node {new.name} already, at {known.location}")
        if new.merge and api.queue_id(self.node.db, new.merge) is None:
            found.append(f"--merge={new.merge}: the database has no such queue")
        self.node.db.rollback()
        subscribed = {one.worker: one.node for one in calls.subscribers(provider.db, self.queue)}
        there = api.consumer_info(provider.db, self.queue, new.worker)
        provider.db.rollback()
        if there and subscribed.get(new.worker) != new.name:
            found.append(f"queue {self.queue} of {provider.name} has a consumer {new.worker}"
                         " already: choose another name with --worker")  # fmt: skip
        return found + rights(self.root) + rights(provider)

    def steps(self) -> list[Step]:
        """Return what is to be done."""
        name, provider = self.new.name, self.provider
        steps = [
            Step("location-root", f"tell root {self.root.name} of {name}",
                 partial(self._register, self.root))
        ]  # fmt: skip
        if self.root.name != provider.name:
            steps.append(Step("location-provider", f"tell provider {provider.name} of {name}",
                              partial(self._register, provider)))  # fmt: skip
        return [
            *steps,
            Step("subscribe", f"subscribe {name} to {provider.name}", self._subscribe),
            Step("create", f"make {self.new.kind} {name}", self._make),
        ]

    def _register(self, node: Node) -> None:
        pgq_node.register_location(
            node.db, self.queue, self.new.name, self.new.location, dead=False
        )
        node.db.commit()

    def _subscribe(self) -> str:
        db = self.provider.db
        self.watermark = calls.register_subscriber(
            db, self.queue, self.new.name, self.new.worker, None
        )
        db.commit()
        return f"tick {self.watermark}"

    def _make(self) -> None:
        db, new, queue = self.node.db, self.new, self.queue
        for one in self.members.values():
            pgq_node.register_location(db, queue, one.node, one.location, dead=one.dead)
        pgq_node.register_location(db, queue, new.name, new.location, dead=False)
        calls.create_node(
            db,
            queue,
            new.kind,
            new.name,
            new.worker,
            provider=self.provider.name,
            watermark=self.watermark,
            combined=new.merge,
        )
        if new.attributes:
            calls.set_attributes(db, queue, new.attributes)
        self.job.site.hooks.on_create(self.node, self.provider)
        db.commit()
        self.provider.db.rollback()


def check_location(local: Database, location: str) -> None:
    """Raise UsageError unless a connect string leads to the local database.

    A transaction number taken there must be unknown here before, and known after.
    """
    other = Database("public connect string", location, application_name="cascade admin")
    which = "select oid, datname from pg_catalog.pg_database where datname = current_database()"
    visible = "select txid_visible_in_snapshot(%s, txid_current_snapshot())"
    try:
        before = local.value("select txid_snapshot_xmax(txid_current_snapshot())")
        local.rollback()
        here, there = local.query_one(which), other.query_one(which)
        number = other.value("select txid_current()")
        other.commit()
        same = here == there and number >= before and local.value(visible, (number,))
    finally:
        other.close()
        local.rollback()
    if not same:
        raise UsageError(
            f"the public connect string {location!r} does not lead to this database; --nocheck"
            " skips this check"
        )
