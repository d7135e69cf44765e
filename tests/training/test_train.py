import dataclasses
import shutil

import keras
import numpy as np
import pytest
from layer_checks import ON_TORCH, marked
from small import DATA, MODEL, lines_of, log, training

from keras_transformer.config import DataConfig, preset
from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.examples import captions
from keras_transformer.data.pairs import read_pairs
from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.prepare import resumed
from keras_transformer.training.progress import NonFiniteLoss
from keras_transformer.training.train import train

one_width = pytest.mark.usefixtures("one_bucket")


@marked(ON_TORCH)
@one_width
def test_a_run_holds_what_the_documentation_says(tmp_path, corpus, capsys):
    options = dict(
        gradient_accumulation=2,
        clip_norm=1.0,
        weight_decay=1e-4,
        dtype="mixed_bfloat16",
    )
    recipe = training(max_updates=None, average_last=2, patience=5, **options)
    model = train(tmp_path / "run", *corpus, model=MODEL, data=DATA, training=recipe)
    out = capsys.readouterr().out
    assert "train: kept 200 of 200 pairs" in out and "valid: kept 8 of 8 pairs" in out
    assert "mean of the last 2 epochs: val_nats" in out
    assert "epoch 1/2, " in out and "; the best so far" in out
    assert "Best epoch: " in out and "Training is over: all 2 epochs are done" in out
    run = tmp_path / "run"
    names = [
        "README.md",
        "checkpoints",
        "config.json",
        "data",
        "log.jsonl",
        "manifest.json",
        "model.keras",
        "tokenizer.model",
    ]
    assert sorted(path.name for path in run.iterdir()) == names
    assert [
        len(list((run / "checkpoints").glob(f"{kind}-*")))
        for kind in ("batch", "epoch")
    ] == [2, 2]
    expected = {"epoch", "seconds", "loss", "nats", "perplexity", "accuracy"}
    expected |= {"val_loss", "val_nats", "val_perplexity", "val_accuracy"}
    assert [line["epoch"] for line in log(run)] == [1, 2] and set(
        log(run)[0]
    ) == expected
    assert log(run)[1]["val_nats"] < log(run)[0]["val_nats"] < 6
    opened = Run.open(run)
    assert opened.config.training == recipe and opened.config.data == DATA
    assert opened.config.model == model.config
    assert model.config.source_vocab_size == 200
    for one, other in zip(
        model.get_weights(), opened.model().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@one_width
@pytest.mark.parametrize(
    "files, languages",
    [
        (("a/train.en", "b/train.de"), ["en", "de"]),
        (("train.en.gz", "train_de.txt"), ["en", "de"]),
        (("en.txt", "corpus-nds.txt.gz"), ["en", "nds"]),
        (("source.txt", "target.txt"), None),
        (("train.tok", "valid.tok"), None),
        (("train.en-US", "train.pt_BR.zst"), ["en-US", "pt_BR"]),
        (("train.en", "train"), None),
    ],
)
def test_files_are_named_after_languages(files, languages):
    assert read_pairs(*files).languages == languages


@marked(ON_TORCH)
def test_a_run_keeps_its_languages(trained):
    assert Run.open(trained).config.languages == ["en", "de"]


@marked(ON_TORCH)
def test_bleu_decides_and_tensorboard_is_written(tmp_path, corpus, capsys):
    recipe = training(epochs=1, monitor="bleu", tensorboard=True, average_last=1)
    train(tmp_path / "run", *corpus, model=MODEL, data=DATA, training=recipe)
    assert "held-out sentences" in capsys.readouterr().out
    assert {"val_bleu", "val_chrf"} < set(log(tmp_path / "run")[0])
    assert list((tmp_path / "run" / "tensorboard").rglob("events.out.tfevents.*"))
    # What was chosen stays, whatever is installed when the run goes on.
    run = Run.open(tmp_path / "run")
    kept = dataclasses.replace(recipe, bleu_tokenize="13a")
    assert run.config.training == resumed(run, None, None, recipe) == kept
    other = dataclasses.replace(recipe, bleu_tokenize="intl")
    with pytest.raises(ValueError, match="bleu_tokenize must be '13a' as when the run"):
        resumed(run, None, None, other)


def test_a_tokenisation_that_is_not_installed_fails_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", {}.get)
    source, target = captions("valid")
    recipe = training(monitor="bleu", bleu_tokenize="ko-mecab")
    hint = r'mecab_ko is not installed: pip install -e "\.\[bleu\]" in the clone'
    with pytest.raises(ImportError, match=hint):
        train(tmp_path / "run", source, target, source, target, training=recipe)
    assert not list(tmp_path.iterdir())


@marked(ON_TORCH)
@one_width
def test_the_same_seed_gives_the_same_weights(tmp_path, corpus):
    def weights(run, seed=1):  # neither validation pairs nor a shared vocabulary
        keras.utils.set_random_seed(len(run))  # what was drawn before does not matter
        sizes = dict(vocab_size=150, batch_tokens=800, valid_size=0)
        data = DataConfig(share_embeddings=False, **sizes)
        recipe = training(epochs=1, seed=seed)
        return train(
            tmp_path / run, *corpus[:2], model=MODEL, data=data, training=recipe
        ).get_weights()

    one = weights("one")
    assert all(
        np.array_equal(*pair) for pair in zip(one, weights("other"), strict=True)
    )
    assert not np.array_equal(one[0], weights("another seed", seed=2)[0])
    assert (tmp_path / "one" / "tokenizer.source.model").exists()
    assert set(log(tmp_path / "one")[0]) == {
        "epoch",
        "seconds",
        "loss",
        "nats",
        "perplexity",
        "accuracy",
    }


@marked(ON_TORCH)
@one_width
def test_stops_after_an_epoch_without_a_better_one(tmp_path, corpus):
    # Nothing changes.
    recipe = training(epochs=9, max_updates=None, patience=1, learning_rate_scale=1e-30)
    train(tmp_path / "run", *corpus, model=MODEL, data=DATA, training=recipe)
    assert len(log(tmp_path / "run")) == 2


@marked(ON_TORCH)
@one_width
def test_nan_keeps_the_model_of_the_epoch_before(tmp_path, corpus, monkeypatch):
    right = TokenBatches.__getitem__

    def broken(self, index):
        inputs, labels, weights = right(self, index)
        bad = self.shuffle and self.epoch == 1 and index == 2
        return (
            inputs,
            labels,
            np.where(weights > 0, np.nan, weights).astype("float32")
            if bad
            else weights,
        )

    monkeypatch.setattr(TokenBatches, "__getitem__", broken)
    recipe = training(max_updates=None, checkpoint_minutes=0.0)
    with pytest.raises(NonFiniteLoss, match=r"loss is nan at update (\d+)") as caught:
        train(tmp_path / "run", *corpus[:2], model=MODEL, data=DATA, training=recipe)
    batches = TokenBatches.from_lines(
        *lines_of(corpus), Tokenizer.load(tmp_path / "run" / "tokenizer.model")
    )
    batches = TokenBatches(batches.store, DATA.batch_tokens)
    assert f"update {len(batches) + 3} (learning rate" in str(caught.value)
    kept = Run.open(tmp_path / "run").model().get_weights()
    assert all(np.isfinite(weight).all() for weight in kept)
    assert len(log(tmp_path / "run")) == 1
    last = max((tmp_path / "run" / "checkpoints").glob("batch-*"))
    assert last.name.startswith(f"batch-{len(batches) + 2:08d}.")
    assert all(np.isfinite(array).all() for array in load_arrays(last)[0]["model"])


@marked(ON_TORCH)
@one_width
def test_a_resumed_run_is_the_one_that_was_begun(tmp_path, corpus, trained):
    """Limits may change, nothing else may.

    Equality bit for bit after kills is shown in tests/faults.
    """
    run = shutil.copytree(trained, tmp_path / "run")
    own = Run.open(run).config.training
    for wrong, message in (
        (
            dict(training=dataclasses.replace(own, seed=2)),
            "seed must be 1 as when the run was begun; received 2",
        ),
        (
            dict(model=dataclasses.replace(MODEL, dropout=0.2)),
            "dropout must be 0.1 as when the run was begun; received",
        ),
        (
            dict(data=dataclasses.replace(DATA, max_ratio=3.0)),
            "max_ratio must be 4.0 as when the run was begun",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            train(run, resume=True, **wrong)
    done = int(max(run.glob("checkpoints/batch-*")).name[6:14])
    for updates, finished in ((done + 2, [1, 2, 3]), (None, [1, 2, 3, 4])):
        more = dataclasses.replace(own, epochs=4, max_updates=updates)
        train(run, *corpus, model=MODEL, data=DATA, training=more, resume=True)
        assert [line["epoch"] for line in log(run)] == finished
    # Begins it.
    train(
        tmp_path / "new",
        *corpus,
        model=MODEL,
        data=DATA,
        training=training(),
        resume=True,
    )
    assert Run.open(tmp_path / "new").config.model == Run.open(run).config.model


@marked(ON_TORCH)
@one_width
def test_fine_tuning_begins_with_another_run(tmp_path, corpus, trained):
    run = trained
    fine = tmp_path / "fine"
    recipe = training(epochs=1, max_updates=None, learning_rate_scale=1e-9)
    train(fine, *corpus, init_from=run, training=recipe)
    assert log(fine)[0]["val_nats"] == pytest.approx(log(run)[-1]["val_nats"], rel=1e-4)
    assert Run.open(fine).config.data == DATA
    assert (fine / "tokenizer.model").read_bytes() == (
        run / "tokenizer.model"
    ).read_bytes()
    for wrong, message in (
        (
            dict(model="tiny"),
            "d_model must be 16 as in init_from='.*run'; received 128",
        ),
        (
            dict(data=DataConfig(vocab_size=300)),
            "vocab_size must be 200 as in init_from='.*run'; received 300",
        ),
        (dict(init_from=tmp_path / "absent"), "no run at '.*absent'"),
    ):
        with pytest.raises(ValueError, match=message):
            train(tmp_path / "other", *corpus, **{"init_from": run, **wrong})
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            dict(resume=True, source=None, target=None),
            "source must be given to begin a run, '.*run' being none to resume",
        ),
        (
            dict(model="huge"),
            "preset must be one of tiny, small, base, big; received 'huge'",
        ),
        (
            dict(training={"epochs": 2}),
            "training must be a TrainingConfig; received 'dict'",
        ),
        (dict(data={"vocab_size": 200}), "data must be a DataConfig; received 'dict'"),
        (
            dict(training=training(monitor="bleu"), data=DATA),
            "valid_size must be at least 1, or valid_source be given, with monitor='bl",
        ),
        (
            dict(valid_target="v.de"),
            "valid_source must be given with a target; received None",
        ),
        (
            dict(model=preset("tiny", positions="learned", max_positions=64)),
            "max_length must be at most max_positions=64 with positions='learned'; "
            "received 128",
        ),
    ],
)
def test_what_cannot_work_fails_at_once(tmp_path, corpus, arguments, message):
    with pytest.raises(ValueError, match=message):
        train(
            tmp_path / "run", **{**dict(zip(("source", "target"), corpus)), **arguments}
        )
    assert not list(tmp_path.iterdir())
