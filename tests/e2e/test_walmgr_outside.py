# SPDX-License-Identifier: ISC
"""Configuration that is not in the data folder, as Debian makes it, or by links and includes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from skytools.core.pgserver import PrivateServer
from tests.e2e.test_walmgr_failover import DURABLE
from tests.fixtures.process import run
from tests.fixtures.server import started
from tests.fixtures.walmgr import Hosts, MakeHosts
from tests.fixtures.walmgr_steps import killed_at

FIRST_INCLUDE = 16


def write_rules(hosts: Hosts, etc: Path) -> None:
    """Name users in a file, and, where the version can, include rules."""
    (etc / "users").write_text('"a b", c # b\xe4ide\n@"more users"\n', "latin-1")
    (etc / "more users").write_text("\nd\n")
    rules = ["local all @users reject # ours", 'local all "@users",\\', "  @users,e reject"]
    if int(hosts.primary.bindir.parent.name) >= FIRST_INCLUDE:
        for name in ("one.conf", ".hidden.conf", "two"):
            (hosts.folder(etc.name + "/rules") / name).write_text(f"local {name} all reject\n")
        rules += ["include_dir rules", "include_if_exists nothing", 'include "rules/two"']
    with (etc / "pg_hba.conf").open("a") as file:
        file.write("\n".join([*rules, ""]))
    for path in etc.rglob("*"):
        hosts.give(path)


RULES = """\
local all "a b",c,d reject # ours
local all "@users",  "a b",c,d,e reject
"""
INCLUDED = """\
local one.conf all reject

include_if_exists nothing
local two all reject

"""


def require_rules(hosts: Hosts, text: str) -> None:
    included = INCLUDED if int(hosts.primary.bindir.parent.name) >= FIRST_INCLUDE else ""
    assert text.endswith(RULES + included)


def link_configuration(hosts: Hosts, server: PrivateServer) -> Path:
    """Have links in a data folder lead to where its configuration is."""
    etc = hosts.folder("etc-links")
    for name in ("postgresql.conf", "pg_hba.conf", "server.key"):
        (server.datadir / name).touch()
        shutil.move(server.datadir / name, etc)
        (server.datadir / name).symlink_to(etc / name)
    return etc


def move_configuration(hosts: Hosts) -> Path:
    """Bring the files of the primary, which has not been started, to a folder like /etc."""
    old, etc = hosts.primary, hosts.folder("etc")
    for path in old.datadir.glob("*.conf"):
        if path.name != "postgresql.auto.conf":
            shutil.move(path, etc)
    with (etc / "postgresql.conf").open("a") as file:
        file.write(
            f"data_directory = '{old.datadir}'\nhba_file = '{etc}/pg_hba.conf'\n"
            f"ident_file = '{etc}/pg_ident.conf'\nwork_mem = 7MB\nwork_mem = 5MB\n"
            f"include '{old.datadir}/private.conf'\n"
        )
    write_rules(hosts, etc)

    class Debian(PrivateServer):
        def _as_user(self, command: list[str], *, bind_life: bool = False) -> list[str]:
            where = ["-c", f"config_file={etc}/postgresql.conf"]
            return super()._as_user([*command, *where], bind_life=bind_life)

    hosts.primary = Debian(old.datadir, settings=old.settings)
    started[started.index(old)] = hosts.primary
    return etc


def test_configuration_outside_of_the_data_folder_goes_along(make_hosts: MakeHosts) -> None:
    hosts = make_hosts(start=False, settings=DURABLE)
    etc = move_configuration(hosts)
    hosts.primary.start()
    hosts.good("pair")
    standby = hosts.sql(hosts.standby)
    assert standby.value("show work_mem") == "5MB"
    require_rules(hosts, (hosts.standby.datadir / "pg_hba.conf").read_text())
    assert str(etc) not in (hosts.standby.datadir / "postgresql.conf").read_text()

    assert "fetched 0000" in hosts.good("sync").out
    assert hosts.good("-q", "sync").out == ""

    synch = hosts.words(hosts.program, "--pgdata", hosts.primary.datadir, "--synch-standby")
    refused = run(*synch, "nobody")
    assert (refused.code, "connected: walmgr_standby" in refused.err) == (3, True), refused
    assert run(*synch, "").out == "commits wait for nobody\n"

    assert hosts.walmgr("status").code == 0
    hosts.primary.kill()
    assert hosts.walmgr("status").code == 1
    plan = json.loads(hosts.good("boot", "--plan", "--json").out)
    assert plan["steps"][1].startswith("replay on slave")
    assert standby.value("select pg_is_in_recovery()")
    _boot_dies_when_only_the_roles_are_left(hosts)
    assert "plan: rewind master" in hosts.good("rejoin", "--plan").out
    assert hosts.primary.pid is None
    # The first time it is written for pg_rewind, the second time it is put back.
    assert killed_at(hosts, 2, "rejoin", at="postgresql.auto.conf") is None
    assert (hosts.primary.datadir / "postgresql.conf").exists()
    done = hosts.good("rejoin", "--json")
    assert not (hosts.data / "rejoin.json").exists()
    assert json.loads(done.out) == {"primary": "slave", "standby": "master"}
    assert "master follows slave" in done.err
    primary = hosts.sql(hosts.primary)
    assert primary.value("show config_file") == f"{etc}/postgresql.conf"
    assert primary.value("select pg_is_in_recovery()")
    assert not (hosts.primary.datadir / "postgresql.conf").exists()
    _links_stay_and_are_followed(hosts)


def _boot_dies_when_only_the_roles_are_left(hosts: Hosts) -> None:
    """Nobody knows of the new primary; the next `boot` finishes it."""
    roles = hosts.data / "roles.json"
    assert killed_at(hosts, 1, "boot", at=roles.name) is None
    assert not roles.exists()
    assert not hosts.sql(hosts.standby).value("select pg_is_in_recovery()")
    assert "slave is the primary, timeline 2" in hosts.good("boot").out
    assert json.loads(roles.read_text()) == {"leader": "slave"}


def _links_stay_and_are_followed(hosts: Hosts) -> None:
    """The server that leads now gets links; a set has what they lead to, `rejoin` leaves them."""
    etc = link_configuration(hosts, hosts.standby)
    told = hosts.good("backup").out
    name = told.split("backup set ")[1].split(":")[0]
    assert not (hosts.data / name / "data" / "postgresql.conf").exists()
    kept = hosts.data / name / "config" / "pg_hba.conf"
    require_rules(hosts, kept.read_text())
    kept.write_text("local all all reject\n")
    assert json.loads(hosts.good("drill", "--json").out)["set"] == name
    hosts.crash(hosts.standby)
    hosts.good("boot")
    assert "slave: rewinding" in (done := hosts.good("rejoin").out)
    assert "made anew" not in done
    for path in etc.iterdir():
        assert (hosts.standby.datadir / path.name).readlink() == path
    assert hosts.sql(hosts.standby).value("show work_mem") == "5MB"
