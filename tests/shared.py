"""Files that lie beside the repository and not in it.

Tests that need them are skipped where they are absent.
"""

from pathlib import Path

import pytest

OPUS_MT, MULTI30K = (
    Path(__file__).parents[2] / "shared" / name
    for name in ("opus-mt-zh-en", "multi30k")
)


def needs(folder):
    return pytest.mark.skipif(
        not folder.is_dir(), reason=f"shared/{folder.name} is not beside the repository"
    )
