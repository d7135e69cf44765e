"""Anything fed to what reads files and arguments.

It answers or raises a `ValueError`; it never shows a trace, hangs or crashes.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from targets import TARGETS, feed

ANYTHING = st.binary(max_size=400) | st.text(max_size=200).map(str.encode)
EDITS = st.lists(st.binary(min_size=5, max_size=5), max_size=6).map(b"".join)
PLAIN = dict(
    deadline=5000,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)
SLOWER = {"command": 0.3, "archive": 0.5}  # their share of the cases: one takes longer


def check(name, cases):
    @settings(max_examples=max(10, int(cases * SLOWER.get(name, 1))), **PLAIN)
    @example(b"")
    @example(b"\0")
    @given(ANYTHING | EDITS | EDITS.map(lambda edits: edits + b"\x10"))
    def feed_anything(data):
        feed(name, data)

    feed_anything()


def test_offsets_that_make_a_sentence_of_a_billion_tokens():
    """What `test_much_of_anything` found: it took half a minute and gigabytes."""
    feed("store", b"\x01\x01\x00\x00\x13\r")


@pytest.mark.parametrize("name", TARGETS)
def test_anything(name):
    check(name, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_much_of_anything(name):
    check(name, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_what_coverage_leads_to(name, tmp_path):
    pytest.importorskip("atheris")
    program = Path(__file__).with_name("fuzz.py")
    cases = int(2000 * SLOWER.get(name, 1))
    arguments = [
        f"-runs={cases}",
        "-timeout=20",
        "-rss_limit_mb=4096",
        "-max_len=400",
        "-max_total_time=120",
    ]
    done = subprocess.run(
        [sys.executable, str(program), name, *arguments, "-seed=1", str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    print(name, re.findall(r"Done \d+ runs.*", done.stderr))
