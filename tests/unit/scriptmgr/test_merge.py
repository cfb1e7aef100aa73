# SPDX-License-Identifier: ISC
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skytools.core.metrics import parse_families, render_families
from skytools.scriptmgr.merge import Merger, read

COUNTER = '# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{kind="a"} 3\n'
HISTOGRAM = (
    "# HELP h H.\n# TYPE h histogram\n"
    'h_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 1.5\n'
)


def merged(*texts: str) -> str:
    merger = Merger()
    for number, text in enumerate(texts):
        merger.add(read(text, f"job{number}"))
    return render_families(merger.families()).decode()


def test_one_family_many_jobs() -> None:
    text = merged(COUNTER, COUNTER)
    assert text.count("# TYPE jobs_total counter") == 1
    assert 'jobs_total{job_name="job0",kind="a"} 3.0' in text
    assert 'jobs_total{job_name="job1",kind="a"} 3.0' in text


def test_every_sample_of_a_histogram_is_labelled() -> None:
    text = merged(HISTOGRAM, HISTOGRAM)
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == 8
    assert all('job_name="job' in line for line in samples)


def test_label_of_the_same_name_is_kept_aside() -> None:
    text = merged('# TYPE x gauge\nx{job_name="mine"} 1\n')
    assert 'x{exported_job_name="mine",job_name="job0"} 1.0' in text


def test_first_type_wins_and_clashes_are_counted() -> None:
    merger = Merger()
    merger.add(read("# TYPE x gauge\nx 1\n", "a"))
    merger.add(read("# TYPE x summary\nx_sum 1\nx_count 1\n", "b"))
    merger.add(read("# TYPE x_total counter\nx_total 1\n", "c"))  # another name than x
    merger.add(read("# TYPE x_total gauge\nx_total 1\n", "d"))
    text = render_families(merger.families()).decode()
    assert merger.dropped == 2
    assert 'x{job_name="a"} 1.0' in text
    assert 'x_total{job_name="c"} 1.0' in text
    assert 'job_name="b"' not in text
    assert 'job_name="d"' not in text


def test_family_may_not_take_the_sample_names_of_another() -> None:
    merger = Merger()
    merger.add(read(HISTOGRAM, "a"))
    merger.add(read("# TYPE h_sum gauge\nh_sum 1\n", "b"))
    assert merger.dropped == 1


@pytest.mark.parametrize("text", ["what {is this", 'x{a="1"', "x{} NOTANUMBER", '9x{a="1"} 1\n'])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text, "job")


NAMES = st.sampled_from(["a", "b", "c_total", "d_sum", "d"])
TYPES = st.sampled_from(["counter", "gauge", "histogram", "summary", "untyped"])
LABELS = st.dictionaries(
    st.sampled_from(["x", "job_name", "le"]),
    st.text(max_size=5).map(lambda s: s.strip()),
    max_size=2,
)


@st.composite
def expositions(draw: st.DrawFn) -> str:
    lines = []
    for name in draw(st.lists(NAMES, unique=True, max_size=4)):
        kind = draw(TYPES)
        suffix = "_total" if kind == "counter" and not name.endswith("_total") else ""
        lines.append(f"# TYPE {name}{suffix} {kind}")
        sample = name + suffix + ("_sum" if kind in ("histogram", "summary") else "")
        for labels in draw(st.lists(LABELS, max_size=3)):
            pairs = ",".join(
                '{}="{}"'.format(k, v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
                for k, v in labels.items()
            )
            lines.append(f"{sample}{{{pairs}}} {draw(st.integers(0, 9))}")
    return "".join(line + "\n" for line in lines)


@given(st.lists(expositions(), max_size=4))
def test_merged_text_is_valid_and_without_doubles(texts: list[str]) -> None:
    text = merged(*texts)
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    families = list(parse_families(text))
    samples = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
    ]
    assert len(samples) == len(set(samples))
    assert all("job_name" in dict(labels) for _, labels in samples)
