"""An imported model is trained on, with its own tokenizer, and learns as it does in torch."""

import dataclasses

import numpy as np
import pytest
from small import training, write_corpus

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from checkpoints import complete  # noqa: E402
from exam import numpy  # noqa: E402

from keras_transformer import Translator, pretrained, train  # noqa: E402
from keras_transformer.config import DecodingConfig, TrainingConfig  # noqa: E402
from keras_transformer.data import captions  # noqa: E402
from keras_transformer.distribution import ONE_DEVICE  # noqa: E402
from keras_transformer.run_directory import load_model, load_tokenizers, read_config  # noqa: E402
from keras_transformer.training.prepare import prepare  # noqa: E402
from keras_transformer.training.recipe import compiled_model  # noqa: E402
from keras_transformer.training.train import open_batches  # noqa: E402


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    made = {}

    def imported(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            _, languages = complete(folder / "checkpoint", name, max_position_embeddings=160)
            pretrained.load(folder / "checkpoint", folder / "run", *languages)
            made[name] = folder / "checkpoint", folder / "run"
        return made[name]

    return imported


@pytest.mark.parametrize("name", ["marian", pytest.param("m2m_100", marks=pytest.mark.slow)])
def test_train_begins_with_an_imported_model(imported, tmp_path, name):
    _, run = imported(name)
    files, data = write_corpus(tmp_path / "corpus", train=60), read_config(run, "data")
    data = dataclasses.replace(data, max_length=60, batch_tokens=800)
    train(tmp_path / "fine", *files[:2], init_from=run, data=data, training=training(epochs=1, max_updates=2))
    before, after = load_model(run), load_model(tmp_path / "fine")
    assert after.config == before.config
    for one, two in zip(before.weights, after.weights, strict=True):
        assert np.any(numpy(one) != numpy(two)) == one.trainable == (one.name != "output_bias"), one.path
    assert [t.pieces for t in load_tokenizers(tmp_path / "fine")] == [t.pieces for t in load_tokenizers(run)]
    assert Translator.load(tmp_path / "fine", DecodingConfig(search="greedy", extra_length=2))("A man.") is not None


def test_a_vocabulary_is_not_extended(imported, tmp_path):
    _, run = imported("marian")
    source, target = captions("valid")
    size = read_config(run, "data").vocab_size
    data = dataclasses.replace(read_config(run, "data"), vocab_size=size + 9)
    with pytest.raises(ValueError, match=f"vocab_size must be {size} as in init_from=.*; received {size + 9}"):
        train(tmp_path / "fine", source, target, init_from=run, data=data)
    assert not (tmp_path / "fine").exists()


def both_losses(checkpoint, run, folder, files, updates, batch_tokens=800):
    """The loss before each update of the paper's recipe, without dropout: ours, and torch's on the same batches."""
    recipe = TrainingConfig(warmup_updates=100, learning_rate_scale=0.3)
    model = dataclasses.replace(read_config(run, "model"), dropout=0.0, attention_dropout=0.0)
    data = dataclasses.replace(read_config(run, "data"), batch_tokens=batch_tokens)
    folder.mkdir()
    prepare(folder, files, None, model, data, recipe, init_from=run)
    batches, _ = open_batches(folder, data, recipe, ONE_DEVICE)
    ours = compiled_model(model, recipe)
    ours.set_weights(load_model(run).get_weights())
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(checkpoint).eval()  # no dropout
    optimizer = torch.optim.Adam(theirs.parameters(), betas=(0.9, 0.98), eps=1e-9)
    losses = []
    for update in range(updates):
        inputs, labels, weights = batches[update % len(batches)]
        rate = float(ours.optimizer.learning_rate)
        losses.append(
            (float(ours.train_on_batch(inputs, labels, weights)[0]), loss_of(theirs, inputs, labels, weights))
        )
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        losses[-1][1].backward()
        optimizer.step()
    return np.array([(one, other.item()) for one, other in losses])


def loss_of(theirs, inputs, labels, weights, smoothing=0.1):
    source, target, labels = (torch.from_numpy(x).long() for x in (*inputs.values(), labels))
    mask = source != theirs.config.pad_token_id
    log_probs = theirs(source, attention_mask=mask, decoder_input_ids=target).logits.log_softmax(-1)
    chosen = (1 - smoothing) * log_probs.gather(2, labels[..., None])[..., 0] + smoothing * log_probs.mean(-1)
    return -(chosen * torch.from_numpy(weights)).sum()


@pytest.mark.parametrize("updates", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_the_loss_falls_as_in_torch(imported, tmp_path, updates):
    checkpoint, run = imported("marian")
    losses = both_losses(checkpoint, run, tmp_path / "fine", captions("valid"), updates)
    assert losses[-1, 0] < losses[0, 0] - (1.0 if updates > 100 else 0.0)
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=0.01)
