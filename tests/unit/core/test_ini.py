# SPDX-License-Identifier: ISC
"""Ini files: what is read, and how each fault is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.core.errors import ConfigError
from skytools.core.ini import IniFile


def write(tmp_path: Path, text: str, name: str = "job.ini") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def fault(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        IniFile(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_predefined_names_and_own_keys_are_interpolated(tmp_path):
    path = write(tmp_path, "[pgqd]\nname = x\nlogfile = /log/%(job_name)s-%(name)s.log\n")
    assert IniFile(path).get("pgqd", "logfile") == "/log/job-x.log"
    assert IniFile(path).get("pgqd", "job_name") == "job"


def test_job_name_of_the_file_wins_over_its_base_name(tmp_path):
    path = write(tmp_path, "[a]\njob_name = other\npidfile = %(job_name)s.pid\n")
    assert IniFile(path).get("a", "pidfile") == "other.pid"


def test_templates_of_other_programs_stay_until_they_are_read(tmp_path):
    path = write(tmp_path, "[a]\nfine = 1\ntemplate = %(_foreign)s\n")
    ini = IniFile(path)
    assert ini.get("a", "fine") == "1"
    with pytest.raises(ConfigError, match=r"\[a\] template: refers to unknown %\(_foreign\)s"):
        ini.get("a", "template")


def test_overrides_take_part_in_interpolation(tmp_path):
    path = write(tmp_path, "[a]\nx = 1\ny = <%(x)s>\n")
    assert IniFile(path).get("a", "y", {"x": "2"}) == "<2>"


def test_include_is_read_in_place(tmp_path):
    write(tmp_path, "included = yes\n", "more.ini")
    path = write(tmp_path, "[a]\n%include more.ini\n")
    assert IniFile(path).get("a", "included") == "yes"


def test_default_section_is_inherited_but_not_own(tmp_path):
    path = write(tmp_path, "[DEFAULT]\nshared = 1\n[a]\nown = 2\n")
    ini = IniFile(path)
    assert ini.get("a", "shared") == "1"
    assert ini.own_keys("a") == ["own"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key = 1\n", "line 1: text before the first [section]"),
        ("[a]\n[a]\n", "line 2: section [a] appears twice"),
        ("[a]\nx = 1\nx = 2\n", "line 3: key x appears twice in [a]"),
        ("[a]\nnonsense\n", "line 2: not a 'key = value' line: nonsense"),
    ],
)
def test_syntax_faults_name_file_and_line(tmp_path, text, expected):
    path = write(tmp_path, text)
    assert fault(path) == f"{path}: {expected}"


def test_missing_and_binary_files_are_told(tmp_path):
    assert "No such file" in fault(tmp_path / "none.ini")
    (tmp_path / "bin.ini").write_bytes(b"[a]\nx=\xff\n")
    assert "is not UTF-8 text" in fault(tmp_path / "bin.ini")


def test_stray_percent_says_how_to_write_it(tmp_path):
    path = write(tmp_path, "[a]\nx = 50%\n")
    with pytest.raises(ConfigError, match="write %% for a literal one"):
        IniFile(path).get("a", "x")


VALUE = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1).map(
    lambda s: "v" + s.replace("%", "%%")
)


@given(values=st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_]{0,10}\Z"), VALUE, min_size=1))
def test_every_value_comes_back_as_written(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("ini") / "x.ini"
    body = "".join(f"{key} = {value}\n" for key, value in values.items())
    path.write_text(f"[s]\n{body}", encoding="utf-8")
    ini = IniFile(path)
    assert {key: ini.get("s", key) for key in values} == {
        key: value.replace("%%", "%") for key, value in values.items()
    }
