"""Imported models give `transformers`' logits and translations.

NLLB is m2m_100: the same architecture and the same format, the languages first on both
sides. mBART-50 is mbart in m2m_100's format. Both are read with their own tokenizers
in test_load.py.
"""

import shutil

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from checkpoints import FAMILIES, padded, texts, write  # noqa: E402
from layer_checks import (  # noqa: E402
    ON_TORCH,
    marked,
    numpy,
    some_slow,
    translate_ids,
    whole,
)
from shared import OPUS_MT  # noqa: E402
from tokenizer_folders import read  # noqa: E402

from keras_transformer.config import DecodingConfig  # noqa: E402
from keras_transformer.decoding.compiled import compiled  # noqa: E402
from keras_transformer.pretrained.checkpoint import open_checkpoint  # noqa: E402
from keras_transformer.pretrained.families import transformer_config  # noqa: E402
from keras_transformer.pretrained.load import read_model  # noqa: E402
from keras_transformer.pretrained.tokenizers.files import read_large_json  # noqa: E402
from keras_transformer.text.sentence_format import SentenceFormat  # noqa: E402
from keras_transformer.text.special_tokens import SpecialTokens  # noqa: E402


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Their model, ours and the form of a family; each made once."""
    made = {}

    def imported(family, **changes):
        key = (family, *changes)
        if key not in made:
            folder = tmp_path_factory.mktemp(family)
            theirs, form = write(folder, family, **changes)
            settings = read_large_json(folder / "config.json")
            names = open_checkpoint(folder).shapes
            config = transformer_config(settings, form.special, names)
            made[key] = (theirs, read_model(folder, config), form)
        return made[key]

    return imported


def both_logits(theirs, ours, form, sources, targets):
    """The logits of the two models for rows of ids, and the target ids, padded."""
    pad = form.special.pad
    source_ids = padded(sources, pad)
    target_ids = padded(targets, pad)
    source = torch.from_numpy(source_ids).long()
    target = torch.from_numpy(target_ids).long()
    with torch.no_grad():
        expected = theirs(
            input_ids=source,
            attention_mask=source != pad,
            decoder_input_ids=target,
            use_cache=False,
        ).logits.numpy()
    inputs = {"source_ids": source_ids, "target_ids": target_ids}
    found = numpy(whole(ours, ours)(inputs))
    return found, expected, target_ids


LIMITS = {"bart": 2e-6, "t5": 2e-6, "t5_gated": 2e-6}


@pytest.mark.parametrize("family", FAMILIES)
def test_logits(imported, family):
    theirs, ours, form = imported(family)
    drawn = texts((1, 13, 7, 20, 3))
    sources = [form.source(text) for text in drawn]
    targets = [form.target(form.labels(text[::-1][:9])) for text in drawn]
    found, expected, ids = both_logits(theirs, ours, form, sources, targets)
    real = ids != form.special.pad
    real[:, 0] = True  # the begin token, which may be the same as padding
    np.testing.assert_allclose(
        found[real], expected[real], atol=LIMITS.get(family, 5e-6), rtol=0
    )


LENGTH = 24  # most tokens of a translation
SEARCHES = {
    "greedy": (DecodingConfig(search="greedy"), dict(num_beams=1)),
    # transformers divides by length^alpha and stops a sentence when no live hypothesis,
    # by its length so far, is better than the worst of 4 finished ones: our rule. What
    # follows the first candidates is the same, too.
    "beam": (
        DecodingConfig(beam=4, length_penalty=1.0, penalty="power"),
        dict(num_beams=4, length_penalty=1.0, early_stopping=False),
    ),
}


def until_end(rows, form):
    """Each row's ids up to its end, behind which there is padding alone.

    Where padding is 0, `transformers` may take the end token for it.
    """
    cut = []
    for row in rows.tolist():
        place = len(row)
        if form.special.end in row:
            place = row.index(form.special.end) + 1
        assert {*row[place:]} <= {form.special.pad, form.special.end}
        cut.append(row[:place])
    return cut


# Their logits are compared above.
SELDOM = ("marian_separate", "fsmt_tied", "t5", "mbart")


@marked(ON_TORCH)
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("family", some_slow(FAMILIES, SELDOM))
def test_generate(imported, family, search):
    """Padding and the begin token are never generated, although they are likeliest."""
    theirs, ours, form = imported(family, taught=True)
    decoding, options = SEARCHES[search]
    source_ids = padded(
        [form.source(text) for text in texts(range(1, 17), seed=1000)], form.special.pad
    )
    limits = np.full(len(source_ids), LENGTH, "int32")
    options_of_ours = dict(lengths=(8, LENGTH), target_prefix=form.target_prefix)

    def translate(ids, limits):
        return translate_ids(ours, decoding, ids, limits, **options_of_ours)

    arrays = map(keras.ops.convert_to_tensor, (source_ids, limits))
    tokens, scores = map(keras.ops.convert_to_numpy, compiled(translate, ours)(*arrays))
    with torch.no_grad():
        source = torch.from_numpy(source_ids).long()
        given = dict(attention_mask=source != form.special.pad)
        expected = theirs.generate(
            source,
            **given,
            max_new_tokens=LENGTH,
            do_sample=False,
            bad_words_ids=[[token] for token in form.special.never_generated],
            decoder_start_token_id=form.special.begin,
            forced_bos_token_id=form.target_prefix[0] if form.target_prefix else None,
            **options,
        )
        likeliest = theirs(
            source, **given, decoder_input_ids=expected, use_cache=False
        ).logits.argmax(-1)
    found = until_end(tokens[:, 0], form)
    assert found == until_end(expected[:, 1:], form)
    assert (
        sum(row[-1] == form.special.end for row in found) >= 8
        and len({*map(tuple, found)}) >= 10
    )
    tempted = [
        np.isin(row[: len(ids)], form.special.never_generated)
        for row, ids in zip(likeliest.numpy(), found, strict=True)
    ]
    # Every translation would have such a token, at most of its positions.
    if not family.startswith("t5"):
        assert all(row.any() for row in tempted)
        assert np.concatenate(tempted).mean() > 0.5
    assert ours.config.special.never_generated == form.special.never_generated
    assert not {*form.special.never_generated} & {
        token for row in found for token in row
    }


# The config of Helsinki-NLP/opus-mt-zh-en, as far as it says something of the model.
FULL_SIZE = dict(
    d_model=512,
    encoder_layers=6,
    decoder_layers=6,
    encoder_ffn_dim=2048,
    decoder_ffn_dim=2048,
    encoder_attention_heads=8,
    decoder_attention_heads=8,
    max_position_embeddings=512,
    activation_function="swish",
    scale_embedding=True,
    vocab_size=65001,
    pad_token_id=65000,
    decoder_start_token_id=65000,
)


@pytest.mark.slow
def test_logits_at_full_size(tmp_path):
    theirs, _ = write(tmp_path, "marian", **FULL_SIZE)
    if OPUS_MT.is_dir():
        assert FULL_SIZE.items() <= read(OPUS_MT).items()
        shutil.copyfile(OPUS_MT / "config.json", tmp_path / "config.json")
    form = SentenceFormat(SpecialTokens(65000, 1, 65000, 0), source_suffix=(0,))
    settings = read_large_json(tmp_path / "config.json")
    config = transformer_config(settings, form.special)
    ours = read_model(tmp_path, config)
    assert ours.count_params() == ours.config.parameters == 77_484_009
    sources = [form.source(text) for text in texts((1, 50, 7))]
    targets = [form.target(text) for text in texts((30, 4, 9))]
    found, expected, ids = both_logits(theirs, ours, form, sources, targets)
    real = np.arange(ids.shape[1]) < np.array([[len(row)] for row in targets])
    print(np.abs(found - expected)[real].max(), np.abs(expected).max())
    np.testing.assert_allclose(found[real], expected[real], atol=1e-5, rtol=0)
