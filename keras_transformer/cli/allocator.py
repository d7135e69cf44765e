"""The C library's allocator, told to keep what a step of training frees for the next one."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
GIBIBYTE = 1 << 30


def keep_freed_memory():
    """Let glibc reuse freed memory; elsewhere do nothing. For a process that is ours, not for one that imports us.

    By default every array of more than 128 KiB may be mapped anew from the kernel and
    given back: on a CPU a quarter of a small model's training step, in page faults.
    """
    mallopt = (
        getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    )
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, GIBIBYTE)
