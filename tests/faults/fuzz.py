"""Coverage-guided fuzzing of one target.

Usage: `python tests/faults/fuzz.py TARGET [libFuzzer's options]`.
"""

import os
import sys
from pathlib import Path

import atheris

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parent.parent),
    str(Path(__file__).parent.parent.parent),
]

with atheris.instrument_imports(include=["keras_transformer"]):
    from targets import feed

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, lambda data: feed(name, data))
    atheris.Fuzz()
