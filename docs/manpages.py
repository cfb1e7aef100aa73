# SPDX-License-Identifier: ISC
"""Man pages of the programs, made of their argument parsers."""

from __future__ import annotations

import argparse
import os
import re

from argparse_manpage.manpage import Manpage

import skytools

# What a page may refer to; its own name is left out.
_SEE_ALSO = ("scriptmgr(1)", "pgqd(1)", "londiste(1)", "qadmin(1)", "walmgr(1)", "skytools.ini(5)")

_JOB_FILES = {
    "/etc/skytools/*.ini": "the jobs of skytools.service, this one among them",
    "/usr/share/doc/skytools*/examples": "inis to begin with; --ini prints one with every key",
    "/var/log/skytools": "what jobs print; their log goes there too when logfile says so",
}
_FILES = {
    "scriptmgr": {
        "/etc/skytools.ini": "settings of the manager, see skytools.ini(5)",
        "/etc/skytools/*.ini": "a file for each job",
        "/run/skytools": "control socket, and the metrics socket of each job",
        "/var/log/skytools": "what jobs have printed, JOB.out",
        "/usr/share/skytools": "alert rules for Prometheus, dashboard for Grafana",
        "/usr/share/doc/skytools": "README.Debian with the first steps, manuals, examples",
    },
    "walmgr": {
        "/etc/skytools-walmgr.ini": "settings of the manager of skytools-walmgr.service",
        "/etc/skytools-walmgr/*.ini": "its jobs",
        "/usr/share/doc/skytools-walmgr": "manual, examples of inis",
    },
    "qadmin": {"~/.qadmin_history": "what was typed at the prompt"},
    "setadm": {"/usr/share/doc/skytools/examples/setadm.ini": "an ini to begin with"},
}


def manpage(parser: argparse.ArgumentParser, short: str, exits: str) -> str:
    """Return a command's man page in roff."""
    # Its parts become sections of their own, in the place of one named "comments".
    epilog, parser.epilog = parser.epilog or "", None
    parser.man_short_description = short  # type: ignore[attr-defined]
    # Where argparse breaks a line depends on the terminal and on Python's version; roff does it.
    os.environ["COLUMNS"] = "10000"
    page = Manpage(parser, {"project_name": "skytools", "version": skytools.__version__})
    lines = str(page).splitlines()
    parser.epilog = epilog
    lines[0] = f'.TH {parser.prog.upper()} 1 "" "skytools {skytools.__version__}" "Skytools"'
    lines += _epilog(epilog)
    lines += [".SH EXIT STATUS", *_exits(exits), ".SH FILES"]
    for path, told in _FILES.get(parser.prog, _JOB_FILES).items():
        lines += [".TP", f"\\fI{roff(path)}\\fR", roff(told)]
    others = [page for page in _SEE_ALSO if not page.startswith(f"{parser.prog}(")]
    lines += [".SH SEE ALSO", ", ".join(others)]
    return "\n".join(lines) + "\n"


def _epilog(text: str) -> list[str]:
    """Return sections: a line with a colon at its end is a heading, two blanks divide terms."""
    lines: list[str] = []
    skipped = False
    for line in text.splitlines():
        heading = re.fullmatch(r"([a-z ]+):", line)
        if heading:
            skipped = heading[1] == "exit codes"  # told in their own section
            lines += [] if skipped else [f".SH {heading[1].upper()}"]
        elif skipped:
            continue
        elif term := re.fullmatch(r"  (\S.*?) {2,}(.*)", line):
            lines += [".TP", f"\\fB{roff(term[1])}\\fR", roff(term[2])]
        elif line.strip():
            lines.append(roff(line.strip()))
        else:
            lines.append(".PP")
    while lines and lines[-1] == ".PP":
        lines.pop()
    return [".SH NOTES", *lines] if lines and not lines[0].startswith(".SH") else lines


def _exits(text: str) -> list[str]:
    """Return `0 done; 1 failed. check: 0 well.` as a list; what is no number stays a paragraph."""
    first, dot, rest = " ".join(text.split()).partition(". ")
    lines: list[str] = []
    for part in first.rstrip(".").split("; "):
        code, _, told = part.partition(" ")
        lines += [".TP", f"\\fB{code}\\fR", roff(told)]
    return [*lines, ".PP", roff(rest)] if dot else lines


def roff(text: str) -> str:
    """Return text that roff prints as it is."""
    text = text.replace("\\", "\\\\").replace("-", "\\-").replace("`", "")
    return f"\\&{text}" if text.startswith((".", "'")) else text
