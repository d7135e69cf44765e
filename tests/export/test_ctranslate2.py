import numpy as np
import pytest
from making import make_run, sentences

from keras_transformer import Translator, export
from keras_transformer.config import DecodingConfig
from keras_transformer.export import CTranslate2Translator
from keras_transformer.text.special_tokens import END

OPTIONS = [
    {},
    dict(norm="pre"),
    dict(activation="gelu"),
    dict(activation="silu", norm="pre"),
    dict(positions="sinusoidal_halves"),
    dict(positions="learned", max_positions=44),
    dict(attention_bias=True, norm="pre"),
    dict(key_size=5, value_size=5),
    dict(share_embeddings=False),
    dict(layer_norm_epsilon=1e-2, encoder_layers=1, decoder_layers=2),
]


@pytest.mark.parametrize("changes", OPTIONS, ids=lambda changes: "-".join(map(str, changes.values())) or "paper")
def test_same_translations_as_translator(tmp_path, changes):
    run = make_run(tmp_path / "run", **changes)
    search = dict(penalty="power", extra_length=9, max_source_length=30)
    check = export.ctranslate2(run, tmp_path / "out", **search)
    assert check.largest_difference < 1e-5
    texts = [*sentences(197, seed=7), "", "été naïve 火", "a" * 60]
    for how in (dict(search="greedy"), dict(beam=4), dict(beam=4, n_best=3, batch_size=5)):
        ours = Translator.load(run, DecodingConfig(**search, **how)).hypotheses(texts)
        theirs = CTranslate2Translator.load(tmp_path / "out", **how).hypotheses(texts)
        assert len({best.tokens for best, *_ in ours}) > 80
        assert sum(best.tokens[-1:] == (END,) for best, *_ in ours) > 150
        assert [h[0].tokens for h in theirs] == [h[0].tokens for h in ours]
        assert [h[0].text for h in theirs] == [h[0].text for h in ours]
        np.testing.assert_allclose([h[0].score for h in theirs], [h[0].score for h in ours], atol=1e-4)
