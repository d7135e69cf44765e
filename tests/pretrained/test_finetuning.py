"""An imported model is trained on, with its own tokenizer, and learns as it does in torch."""

import dataclasses

import numpy as np
import pytest
from shared import MULTI30K, needs
from small import training, write_corpus
from tokenizer_folders import FOLDERS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from checkpoints import complete  # noqa: E402
from layer_checks import ON_TORCH, numpy  # noqa: E402

from keras_transformer import Translator, pretrained, train  # noqa: E402
from keras_transformer.config import TrainingConfig  # noqa: E402
from keras_transformer.data.examples import captions, multi30k
from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.models.transformer import Transformer  # noqa: E402
from keras_transformer.runs.run import Run, RunConfig  # noqa: E402
from keras_transformer.text.sentence_format import SentenceFormat  # noqa: E402
from keras_transformer.training.prepare import prepare  # noqa: E402
from keras_transformer.training.recipe import compile_for_training  # noqa: E402
from keras_transformer.training.schedule import WarmupSchedule  # noqa: E402
from keras_transformer.training.train import open_batches  # noqa: E402


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    made = {}

    def imported(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            _, languages = complete(
                folder / "checkpoint", name, max_position_embeddings=160
            )
            pretrained.load(folder / "checkpoint", folder / "run", *languages)
            made[name] = folder / "checkpoint", folder / "run"
        return made[name]

    return imported


def fine_tuned(run, folder, *updates):
    """A run that begins with another, stopped and resumed after each of these numbers of updates but the last."""
    files = write_corpus(folder.parent / "corpus", train=60)
    data = Run.open(run).config.data
    data = dataclasses.replace(data, max_length=60, batch_tokens=800)
    given = dict(zip(("source", "target"), files), init_from=run, data=data)
    for number in updates:
        train(folder, **given, training=training(epochs=1, max_updates=number))
        given = dict(resume=True)
    return Run.open(folder).model()


SLOW_FAMILIES = [pytest.param(name, marks=pytest.mark.slow) for name in [*FOLDERS][1:]]


@pytest.mark.parametrize("name", ["marian", *SLOW_FAMILIES])
def test_train_begins_with_an_imported_model(imported, tmp_path, one_bucket, name):
    _, run = imported(name)
    before = Run.open(run).model()
    after = fine_tuned(run, tmp_path / "fine", 2)
    assert after.config == before.config
    for one, two in zip(before.weights, after.weights, strict=True):
        assert (
            np.any(numpy(one) != numpy(two))
            == one.trainable
            == (one.name != "output_bias")
        ), one.path
    assert [t.pieces for t in Run.open(tmp_path / "fine").tokenizers] == [
        t.pieces for t in Run.open(run).tokenizers
    ]
    assert Translator.load(tmp_path / "fine").sentence_format == SentenceFormat.of(
        *Run.open(run).tokenizers
    )


@pytest.mark.parametrize(
    "name", [pytest.param("marian", marks=ON_TORCH), *SLOW_FAMILIES]
)
def test_a_stopped_fine_tuning_resumes(imported, tmp_path, one_bucket, name):
    """And ends with the bits of one that was not stopped."""
    _, run = imported(name)
    whole, resumed = (
        fine_tuned(run, tmp_path / "whole", 2),
        fine_tuned(run, tmp_path / "stopped", 1, 2),
    )
    for one, two in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(two), err_msg=one.path)


def test_a_vocabulary_is_not_extended(imported, tmp_path):
    _, run = imported("marian")
    source, target = captions("valid")
    size = Run.open(run).config.data.vocab_size
    data = dataclasses.replace(Run.open(run).config.data, vocab_size=size + 9)
    with pytest.raises(
        ValueError,
        match=f"vocab_size must be {size} as in init_from=.*; received {size + 9}",
    ):
        train(tmp_path / "fine", source, target, init_from=run, data=data)
    assert not (tmp_path / "fine").exists()


def both_losses(checkpoint, run, folder, files, updates):
    """The loss before each update of the paper's recipe, without dropout: `fit`'s, and torch's on the same batches."""
    recipe = TrainingConfig(warmup_updates=100, learning_rate_scale=0.3)
    model = dataclasses.replace(
        Run.open(run).config.model, dropout=0.0, attention_dropout=0.0
    )
    data = dataclasses.replace(Run.open(run).config.data, batch_tokens=800)
    folder.mkdir()
    begun = Run.open(run)
    config = RunConfig(model, data, recipe)
    made = prepare(folder, (*files, None, None), config, begun)
    batches, _ = open_batches(made, recipe, ONE_DEVICE)
    batches = [batches[number % len(batches)] for number in range(updates)]
    ours = Transformer(model, dtype=recipe.dtype)
    compile_for_training(ours, recipe)
    ours.set_weights(begun.model().get_weights())
    # Each epoch is one batch: otherwise a loss that `fit` gives is the mean of those so
    # far.
    stream = (batch for batch in batches)
    history = ours.fit(
        stream, steps_per_epoch=1, epochs=updates, shuffle=False, verbose=0
    ).history
    # No dropout.
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(checkpoint).eval()
    optimizer = torch.optim.Adam(theirs.parameters(), betas=(0.9, 0.98), eps=1e-9)
    schedule = WarmupSchedule(
        model.d_model, recipe.warmup_updates, recipe.learning_rate_scale
    )
    losses = []
    for update, (inputs, labels, weights) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = float(schedule(update))
        loss = loss_of(theirs, inputs, labels, weights)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(history["loss"]), np.array(losses)


def loss_of(theirs, inputs, labels, weights, smoothing=0.1):
    source, target, labels = (
        torch.from_numpy(x).long() for x in (*inputs.values(), labels)
    )
    mask = source != theirs.config.pad_token_id
    log_probs = theirs(
        source, attention_mask=mask, decoder_input_ids=target
    ).logits.log_softmax(-1)
    chosen = (1 - smoothing) * log_probs.gather(2, labels[..., None])[
        ..., 0
    ] + smoothing * log_probs.mean(-1)
    return -(chosen * torch.from_numpy(weights)).sum()


def test_the_loss_begins_as_in_torch(imported, tmp_path, one_bucket):
    losses, expected = both_losses(
        *imported("marian"), tmp_path / "fine", captions("valid"), 5
    )
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "corpus", ["captions", pytest.param("multi30k", marks=needs(MULTI30K))]
)
def test_the_loss_falls_as_in_torch(imported, tmp_path, corpus):
    files = (
        captions("valid")
        if corpus == "captions"
        else multi30k("train", folder=MULTI30K)
    )
    losses, expected = both_losses(*imported("marian"), tmp_path / "fine", files, 200)
    difference = np.abs(losses / expected - 1).max()
    print(
        f"{corpus}: loss {losses[0]:.3f} to {losses[-1]:.3f}, largest relative difference {difference:.1e}"
    )
    assert losses[-10:].mean() < losses[:10].mean() - 1.0 and difference < 0.01
