"""The scripts of `examples/` run."""

import runpy
from pathlib import Path

from layer_checks import ON_TORCH, marked

EXAMPLES = Path(__file__).parent.parent / "examples"


@marked(ON_TORCH)
def test_keras_tutorial(capsys):
    script = runpy.run_path(str(EXAMPLES / "keras_tutorial.py"))
    script["main"](epochs=1, pairs=100)
    printed = capsys.readouterr().out
    assert "val_accuracy" in printed
    assert "A friendly child is washing five bikes. -> " in printed
    assert "BLEU" in printed
