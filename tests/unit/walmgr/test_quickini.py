# SPDX-License-Identifier: ISC
"""The fast reader of inis agrees with the careful one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skytools.core.errors import ConfigError
from skytools.core.ini import IniFile
from skytools.walmgr import quickini
from skytools.walmgr.wal import WalError

FULL = """\
# comment
[DEFAULT]
base = /srv/50%%
[other]
walmgr_data = /wrong
[walmgr]
job_name = %(service_name)s_of_%(config_dir)s
walmgr_data : %(base)s/walmgr
Completed_Wals=%(walmgr_data)s/logs
; comment
master_db = host=a
  user=walmgr
empty =
url = a=b:c
"""


def test_both_readers_agree(tmp_path: Path) -> None:
    path = tmp_path / "wal.ini"
    path.write_text(FULL)
    careful = IniFile(path)
    keys = careful.keys("walmgr")
    assert len(keys) == 7
    assert quickini.read(str(path)) == {key: careful.get("walmgr", key) for key in keys}


words = st.text("ab=:%()s #;[]\t", max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(st.tuples(st.sampled_from("pqr"), words), max_size=4))
def test_values_read_alike(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    path = tmp_path / "wal.ini"
    lines = [f"{key} = {value.strip()}" for key, value in dict(pairs).items()]
    path.write_text("\n".join(["[walmgr]", *lines]))
    careful = IniFile(path)
    try:
        wanted = {key: careful.get("walmgr", key) for key in careful.keys("walmgr")}
    except ConfigError:
        with pytest.raises(WalError):
            quickini.read(str(path))
    else:
        assert quickini.read(str(path)) == wanted


def test_include_is_followed(tmp_path: Path) -> None:
    (tmp_path / "inner.ini").write_text("walmgr_data = /srv\n")
    (tmp_path / "wal.ini").write_text("[walmgr]\n%include inner.ini\n")
    assert quickini.read(str(tmp_path / "wal.ini")) == {"walmgr_data": "/srv"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[other]\na = 1\n", "section [walmgr] is missing"),
        ("[walmgr]\nnonsense\n", "not a 'key = value' line: nonsense"),
        ("[walmgr]\na = %(b)s\n", "[walmgr] a: has a bad '%'"),
        ("[walmgr]\na = %(a)s\n", "[walmgr] a: refers to itself"),
    ],
)
def test_faults_are_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "wal.ini"
    path.write_text(text)
    with pytest.raises(WalError) as caught:
        quickini.read(str(path))
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WalError, match=r"no\.ini: cannot be read: No such file"):
        quickini.read(str(tmp_path / "no.ini"))
