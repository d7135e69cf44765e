"""An imported model is trained on, with its own tokenizer, and learns as in torch."""

import dataclasses

import numpy as np
import pytest
from shared import MULTI30K, needs
from small import clean, training, write_corpus
from tokenizer_folders import FOLDERS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from layer_checks import ON_TORCH, marked, numpy, some_slow  # noqa: E402

from keras_transformer import Translator, train  # noqa: E402
from keras_transformer.config import TrainingConfig  # noqa: E402
from keras_transformer.data.examples import captions, multi30k  # noqa: E402
from keras_transformer.distribution.distribution import ONE_DEVICE  # noqa: E402
from keras_transformer.models.transformer import Transformer  # noqa: E402
from keras_transformer.runs.run import Run, RunConfig  # noqa: E402
from keras_transformer.text.sentence_format import SentenceFormat  # noqa: E402
from keras_transformer.training.prepare import prepare  # noqa: E402
from keras_transformer.training.recipe import compile_for_training  # noqa: E402
from keras_transformer.training.schedule import WarmupSchedule  # noqa: E402
from keras_transformer.training.train import open_batches  # noqa: E402


def fine_tuned(run, folder, *updates):
    """A run that begins with another, and is resumed after each number of updates."""
    files = write_corpus(folder.parent / "corpus", train=60)
    data = Run.open(run).config.data
    data = dataclasses.replace(data, max_length=60, batch_tokens=800)
    given = dict(zip(("source", "target"), files), init_from=run, data=data)
    for number in updates:
        train(folder, **given, training=training(epochs=1, max_updates=number))
        given = dict(resume=True)
    return Run.open(folder)


@marked(ON_TORCH)
@pytest.mark.parametrize("name", some_slow(FOLDERS, {*FOLDERS} - {"marian"}))
def test_train_begins_with_an_imported_model(imported, tmp_path, one_bucket, name):
    run = Run.open(imported(name).run)
    fine = fine_tuned(run.path, tmp_path / "fine", 2)
    before = run.model()
    after = fine.model()
    assert after.config == before.config
    for one, two in zip(before.weights, after.weights, strict=True):
        assert (
            np.any(numpy(one) != numpy(two))
            == one.trainable
            == (one.name != "output_bias")
        ), one.path
    assert [t.pieces for t in fine.tokenizers] == [t.pieces for t in run.tokenizers]
    expected = SentenceFormat.of(*run.tokenizers)
    assert Translator.load(fine.path).sentence_format == expected


@marked(ON_TORCH)
def test_t5_drops_attention_weights_as_transformers_do(imported):
    theirs, _, _, ours, _ = imported("t5")
    attention = theirs.decoder.block[0].layer[0].SelfAttention
    assert attention.dropout == ours.config.attention_dropout == ours.config.dropout > 0


@marked(ON_TORCH)
@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_a_stopped_fine_tuning_resumes(imported, tmp_path, one_bucket, name):
    """And ends with the bits of one that was not stopped."""
    run = imported(name).run
    whole = fine_tuned(run, tmp_path / "whole", 2).model()
    resumed = fine_tuned(run, tmp_path / "stopped", 1, 2).model()
    for one, two in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(two), err_msg=one.path)


def test_a_vocabulary_is_not_extended(imported, tmp_path):
    run = imported("marian").run
    source, target = captions("valid")
    data = Run.open(run).config.data
    size = data.vocab_size
    data = dataclasses.replace(data, vocab_size=size + 9)
    message = f"vocab_size must be {size} as in init_from=.*; received {size + 9}"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "fine", source, target, init_from=run, data=data)
    assert not (tmp_path / "fine").exists()


def both_losses(made, folder, files, updates):
    """The loss before each update of the paper's recipe, in `fit` and in torch.

    The batches are the same, and there is no dropout.
    """
    recipe = TrainingConfig(warmup_updates=100, learning_rate_scale=0.3)
    model = dataclasses.replace(made.ours.config, dropout=0.0, attention_dropout=0.0)
    begun = Run.open(made.run)
    data = dataclasses.replace(begun.config.data, batch_tokens=800, valid_size=0)
    folder.mkdir()
    config = RunConfig(model, data, recipe)
    run = prepare(folder, clean(files), None, config, begun)
    batches, _ = open_batches(run, recipe, ONE_DEVICE)
    batches = [batches[number % len(batches)] for number in range(updates)]
    ours = compile_for_training(Transformer(model), recipe, loss_reduction="sum")
    ours.set_weights(made.ours.get_weights())
    # Each epoch is one batch: otherwise a loss that `fit` gives is the mean of those so
    # far.
    stream = (batch for batch in batches)
    history = ours.fit(
        stream, steps_per_epoch=1, epochs=updates, shuffle=False, verbose=0
    ).history
    # No dropout.
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(made.checkpoint).eval()
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


@marked(ON_TORCH)
def test_the_loss_begins_as_in_torch(imported, tmp_path, one_bucket):
    losses, expected = both_losses(
        imported("marian"), tmp_path / "fine", captions("valid"), 5
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
    losses, expected = both_losses(imported("marian"), tmp_path / "fine", files, 200)
    difference = np.abs(losses / expected - 1).max()
    print(
        f"{corpus}: loss {losses[0]:.3f} to {losses[-1]:.3f}, "
        f"largest relative difference {difference:.1e}"
    )
    assert losses[-10:].mean() < losses[:10].mean() - 1.0 and difference < 0.01
