"""Freed memory is used again."""

import resource
import sys

import numpy as np
import pytest

from keras_transformer.cli.allocator import keep_freed_memory


def page_faults(passes):
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(passes):
        np.ones(1 << 18)  # 2 MiB: 512 pages
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has these settings")
def test_what_was_freed_is_used_again():
    keep_freed_memory()
    page_faults(passes=1)
    assert page_faults(passes=20) < 512
