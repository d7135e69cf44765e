"""Train a small model on the bundled corpus and show what it can do."""

from ..config import DataConfig, TrainingConfig, preset
from .flags import NEW_RUN, OVERWRITE
from .output import say_where
from .startup import beside_tensorflow

FLAGS = {"run": NEW_RUN["run"] | dict(nargs="?", default="demo-run")} | OVERWRITE
# It learns from few updates; 12,000 pairs of one grammar need no regularisation.
CONFIGS = {
    "model": preset("tiny", norm_first=True, dropout=0.0),
    "data": DataConfig(vocab_size=1200, batch_tokens=512),
    "training": TrainingConfig(
        epochs=4, warmup_updates=300, learning_rate_scale=0.5, average_last=1
    ),
}


def run(options):
    from ..data.examples import captions
    from ..data.pairs import read_pairs
    from ..evaluation.evaluate import evaluate
    from ..training.train import train

    print("Training a small model on 12,000 bundled pairs: minutes on two cores.")
    files = [*captions("train"), *captions("valid")]
    with beside_tensorflow(is_used=False):
        train(options.run, *files, **CONFIGS, overwrite=options.overwrite)
    source, target = captions("test")
    result = evaluate(options.run, source, target)
    rate = f"{result.sentences_per_second:.1f} a second"
    print(f"\n500 held-out sentences at {rate}:\n{result.scores}\n")
    shown = list(zip(read_pairs(source, target), result.translations))[::100]
    for (sentence, _), translation in shown:
        print(f"  {sentence}\n  -> {translation}\n")
    say_where(options.run)
