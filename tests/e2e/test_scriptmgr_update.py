# SPDX-License-Identifier: ISC
"""`update` and `check`: which jobs there are, which are rejected, and what a change does."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.site import STEADY, Site


def test_update_touches_changed_jobs_only(site: Site) -> None:
    for name in ("same", "changed", "gone"):
        site.job(name)
    site.start()
    site.wait_ready("same", "changed", "gone")
    before = site.rows()
    (site.jobs / "gone.ini").unlink()
    site.job("changed", key="value")
    site.job("fresh")
    (site.jobs / "same.ini").write_text("# a comment\n" + (site.jobs / "same.ini").read_text())
    dry = site.cmd("update", "--dry-run")
    assert dry.code == 0
    assert set(dry.lines) == {
        "changed: would be restarted",
        "fresh: would be added",
        "gone: would be stopped and removed",
    }
    assert site.rows().keys() == before.keys()
    result = site.cmd("update", "-w")
    assert result.code == 0
    assert "changed: restarted" in result.lines
    rows = site.rows()
    assert set(rows) == {"same", "changed", "fresh"}
    assert rows["same"]["pid"] == before["same"]["pid"]
    assert rows["changed"]["pid"] != before["changed"]["pid"]
    assert rows["changed"]["restarts"] == 1  # the count outlives the change
    assert site.cmd("update").lines == ["nothing to change, 3 jobs as they were"]


def test_update_leaves_stopped_jobs_stopped(site: Site) -> None:
    """Stock supervisord's update revives what an operator has stopped."""
    site.job("alpha")
    site.start()
    site.wait_ready("alpha")
    site.cmd("stop", "alpha")
    site.job("alpha", key="value")
    site.job("beta")
    assert site.cmd("update", "-w").code == 0
    site.wait_ready("beta")
    assert site.row("alpha")["state"] == "stopped"
    assert site.cmd("start", "-w", "alpha").code == 0


def test_update_reload_sends_hup_where_that_is_enough(site: Site) -> None:
    body = """
        signal.signal(signal.SIGHUP, lambda *_: notify("STATUS=hup"))
        notify("READY=1")
        while True:
            signal.pause()
        """
    site.job("soft", body)
    site.job("hard", body)
    site.start()
    site.wait_ready("soft", "hard")
    before = site.rows()
    site.job("soft", body, key="value")
    site.job("hard", body, args="--more")
    result = site.cmd("update", "--reload", "-w")
    assert (result.code, result.lines[:2]) == (0, ["hard: restarted", "soft: reloaded"])
    assert (
        site.wait_for("soft", lambda row: row["status_text"] == "hup")["pid"]
        == (before["soft"]["pid"])
    )
    assert site.row("hard")["pid"] != before["hard"]["pid"]


def test_disabling_and_enabling(site: Site) -> None:
    site.job("alpha")
    site.start()
    site.wait_ready("alpha")
    site.job("alpha", disabled=1)
    site.cmd("update", "-w")
    site.wait_for("alpha", lambda row: row["state"] == "disabled" and row["pid"] is None)
    site.job("alpha")
    assert site.cmd("update", "-w").code == 0
    assert site.row("alpha")["ready"]


# name -> text of an ini that cannot become a job, and what is said about it
FAULTS = {
    "binary": (b"[mine]\nx = \xff\n", "is not UTF-8 text (byte"),
    "broken": (b"[mine\n", "line 1: text before the first [section]"),
    "sectionless": (b"", "has no section: a job needs one named after its service"),
    "unknown": (b"[nope]\n", "[nope] is no known service"),
    "twin": (b"[mine]\nscript = good.py\njob_name = good\n", "job_name good is taken by"),
    "badname": (b"[mine]\nscript = good.py\njob_name = a b\n", "'a b' is not 1 to 64 letters"),
    "reserved": (b"[mine]\nscript = good.py\njob_name = skytools-exporter\n", "is reserved"),
    "noscript": (b"[mine]\nscript = nowhere.py\n", "nowhere.py does not exist"),
    "badkey": (b"[mine]\nscript = good.py\nstop_timeout = soon\n", "'soon' is not a number"),
    "quotes": (b"[mine]\nscript = good.py\nargs = 'open\n", "No closing quotation"),
    "interpolated": (b"[mine]\nscript = %(nope)s/good.py\n", "refers to unknown %(nope)s"),
    "longname": (b"[mine]\nscript = good.py\njob_name = " + b"x" * 65, "is not 1 to 64 letters"),
    "pgqd": (b"[pgqd]\nfrob = 1\n", "[pgqd] frob: unknown key"),
}


def test_faulty_inis_are_rejected_and_the_rest_runs(site: Site) -> None:
    (site.jobs / "a_good.ini").write_text("[mine]\nscript = good.py\njob_name = good\n")
    (site.jobs / "good.py").write_text(site.script("good").read_text())
    for name, (text, _) in FAULTS.items():
        (site.jobs / f"{name}.ini").write_bytes(text)
    (site.jobs / "folder.ini").mkdir()
    manager = site.start()
    site.wait_ready("good")
    result = site.cmd("status")
    assert result.code == 1
    rejected = {row["config"]: row for row in json.loads(site.cmd("status", "--json").out)}
    for name, (_, reason) in FAULTS.items():
        row = rejected[str(site.jobs / f"{name}.ini")]
        assert row["state"] == "rejected", name
        assert reason in row["error"], name
        assert row["config"] in row["error"], name
        assert row["error"] in manager.output
    assert "Is a directory" in rejected[str(site.jobs / "folder.ini")]["error"]
    assert "Traceback" not in manager.output
    checked = site.cmd("check")
    assert checked.code == 78
    assert len(checked.err.splitlines()) == len(FAULTS) + 1


def test_mended_ini_is_picked_up(site: Site) -> None:
    site.job("alpha", stop_timeout="soon")
    site.start()
    assert site.row("alpha")["state"] == "rejected"
    refused = site.cmd("start", "alpha")
    assert refused.code == 1
    assert "alpha: rejected: " in refused.err
    site.job("alpha")
    result = site.cmd("update", "-w")
    assert (result.code, result.lines[0]) == (0, "alpha: added")
    assert site.cmd("check").out == "good: 1 jobs\n"


def test_running_job_survives_a_faulty_edit(site: Site) -> None:
    site.job("alpha")
    site.start()
    site.wait_ready("alpha")
    pid = site.row("alpha")["pid"]
    site.job("alpha", stop_timeout="soon")
    result = site.cmd("update")
    assert result.code == 1
    assert "alpha: keeps running with its old ini, the new one is faulty" in result.out
    row = site.row("alpha")
    assert (row["pid"], row["state"]) == (pid, "running")
    assert "stop_timeout: 'soon' is not a number" in row["error"]
    assert site.cmd("status").code == 1
    site.job("alpha")
    assert site.cmd("update").code == 0
    assert site.row("alpha")["pid"] == pid


def test_running_job_keeps_its_name_against_an_earlier_file(site: Site) -> None:
    site.job("middle", job_name="alpha")
    site.start()
    site.wait_ready("alpha")
    pid = site.row("alpha")["pid"]
    site.job("a_first", job_name="alpha")
    assert site.cmd("update").code == 1
    assert site.row("alpha")["pid"] == pid


def test_broken_manager_ini_keeps_everything(site: Site) -> None:
    site.job("alpha")
    site.start()
    site.wait_ready("alpha")
    old = site.ini.read_text()
    site.ini.write_text(old + "frob = 1\n")
    assert site.cmd("update").code == 78  # found by the client already
    site.ini.write_text(old.replace("runtime_dir = run", "runtime_dir = run2"))
    assert site.cmd("update").code == 3  # no manager there
    site.ini.write_text(old)
    assert site.row("alpha")["ready"]


def test_job_with_two_sections_runs_both(site: Site) -> None:
    site.script("both")
    (site.jobs / "both.ini").write_text(
        "[one]\nscript = ../both.py\njob_name = both_one\n"
        "[two]\nscript = ../both.py\njob_name = both_two\n[remarks]\nx = 1\n"
    )
    site.start()
    site.wait_ready("both_one", "both_two")


@pytest.mark.parametrize("instance", ["nosuch"])
def test_instance_has_its_own_files(site: Site, instance: str) -> None:
    """-I NAME: without an ini the defaults hold, and nobody listens there."""
    result = site._run("scriptmgr", "-I", instance, "status")
    assert result.code == 3
    assert f"/run/skytools-{instance}/control.sock" in result.err


def test_unreadable_ini_is_rejected(site: Site) -> None:
    site.obey_modes()
    site.job("alpha").chmod(0)
    site.job("beta", STEADY)
    site.start()
    site.wait_ready("beta")
    assert "cannot be read: Permission denied" in site.row("alpha")["error"]
