import re
from types import SimpleNamespace

import pytest
from layer_checks import ON_TORCH, marked
from small import session

from keras_transformer import Translator
from keras_transformer.data.pairs import read_pairs
from keras_transformer.evaluation.evaluate import evaluate
from keras_transformer.process import bars
from keras_transformer.runs.run import Run
from keras_transformer.training.report import EpochLines, report, why_over


class Batches:
    """What a session asks of its `TokenBatches`."""

    def __len__(self):
        return 10

    def width(self, number):
        return 8


def shared_session(path, epoch, seconds=0.0, scores=(), **options):
    shared = session(path, **options)
    shared.batches = Batches()
    shared.progress.epoch = epoch
    shared.progress.seconds = seconds
    shared.progress.scores = [*scores]
    return shared


@pytest.mark.parametrize(
    "epoch, seconds, scores, options, why",
    [
        (3, 0.0, [3, 2, 1], {}, "all 3 epochs are done.* --epochs 6"),
        (3, 0.0, [3, 2, 1], {"epochs": 1}, "all 1 epochs are done.* --epochs 6"),
        (
            2,
            0.0,
            [3, 2],
            {"max_updates": 20},
            "all 20 updates of max_updates are done.* --max-updates 40",
        ),
        (
            2,
            160.0,
            [3, 2],
            {"max_minutes": 2.0},
            "the 2.0 minutes of max_minutes are over.* --max-minutes 4.0",
        ),
        (
            2,
            0.0,
            [3, 4],
            {"patience": 1},
            "the last 1 epochs were not better, .* --patience 2",
        ),
    ],
)
def test_why_training_is_over(tmp_path, epoch, seconds, scores, options, why, capsys):
    options = {"epochs": 3, **options}
    shared = shared_session(tmp_path, epoch, seconds, scores, **options)
    go_on = f"To go on: keras-transformer train {tmp_path} --resume"
    assert re.match(why, why_over(shared)) and go_on in why_over(shared)
    report(shared, None)
    best = scores.index(min(scores)) + 1
    out = capsys.readouterr().out
    said = f"Best epoch: {best} of {len(scores)}, nats {min(scores):.4f}."
    assert said in out and "Training is over: " in out


def test_the_minutes_are_those_of_this_call(tmp_path):
    shared = shared_session(tmp_path, 2, 160.0, epochs=3, max_minutes=2.0)
    assert shared.reached_limit() == "max_minutes"
    shared.earlier = 100.0
    assert shared.reached_limit() is None and not shared.limit_is_reached()
    shared.progress.seconds = 220.0
    assert shared.reached_limit() == "max_minutes" and shared.limit_is_reached()


def test_epochs_are_counted_from_the_first_of_the_run(tmp_path, capsys):
    """Those of a run that goes on in the middle of its seventh of twelve, too."""
    shared = shared_session(tmp_path, 6, 50.0, [1.0] * 6, epochs=12)
    lines = EpochLines(shared)
    lines.on_epoch_begin(6)
    shared.progress.seconds = 98.0
    shared.progress.scores.append(0.5)
    lines.on_epoch_end(6, {"loss": 2.0, "val_nats": 0.5})
    expected = "epoch 7/12, 48 s: loss 2.0000, val_nats 0.5000; the best so far\n"
    assert capsys.readouterr().out == expected
    assert shared.planned == 120


@marked(ON_TORCH)
def test_five_validation_pairs(trained, corpus, no_samples, capsys):
    run = Run.open(trained)
    no_samples(run, run.model())
    out = capsys.readouterr().out
    pairs = list(read_pairs(*corpus[2:]))
    chosen = [pairs[n] for n in (0, 1, 3, 5, 7)]
    translations = Translator.load(trained)([source for source, _ in chosen])
    expected = "".join(
        f"\n  {source}\n  reference: {reference}\n  model:     {translation}\n"
        for (source, reference), translation in zip(chosen, translations)
    )
    assert out == f"{expected}\n"
    no_samples(SimpleNamespace(path=trained / "none"), None)
    assert capsys.readouterr().out == ""


@marked(ON_TORCH)
def test_evaluate_says_how_far_it_is_and_a_translator_nothing(
    trained, corpus, monkeypatch, capsys
):
    monkeypatch.setattr(bars, "SHORT", 0)
    monkeypatch.setattr(bars, "LINES", 0)
    own = bars.Work.close

    def show_and_close(work):
        work.refresh()
        own(work)

    monkeypatch.setattr(bars.Work, "close", show_and_close)
    translator = Translator.load(trained)
    translator(["a man", "", "a horse"])
    assert capsys.readouterr() == ("", "")
    evaluate(translator, *corpus[2:])
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("translating: 100%, 8/8 sentences, ")
