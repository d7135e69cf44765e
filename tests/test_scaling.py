"""docs/scaling.md does not go stale.

Its formulas agree with what XLA compiles, and its estimates with its formulas.
"""

import dataclasses
from pathlib import Path

import keras
import pytest

from benchmarks import formulas, planning, scaling
from keras_transformer.config import TransformerConfig
from keras_transformer.data.store import TokenStore
from keras_transformer.text.tokenizer import Tokenizer

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
SMALL = TransformerConfig(
    source_vocab_size=256,
    target_vocab_size=256,
    encoder_layers=2,
    decoder_layers=1,
    d_model=64,
    d_ff=128,
    num_heads=4,
)
OTHER = dataclasses.replace(
    SMALL,
    target_vocab_size=128,
    share_embeddings=False,
    key_dim=8,
    value_dim=8,
    norm_first=True,
    positions="learned",
    max_positions=32,
    attention_bias=True,
)
CASES = {  # config, how, devices that share a model
    "1 x 1": (SMALL, "none", None),
    "4 x 1": (SMALL, "data", None),
    "2 x 2": (SMALL, "model", 2),
    "1 x 4": (OTHER, "model", None),
}


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="reads JAX's compiled program"
)
def test_formulas_agree_with_the_compiled_step():
    cases = [
        dict(
            config=dataclasses.asdict(config),
            rows=64,
            length=8,
            how=how,
            model_devices=model_devices,
        )
        for config, how, model_devices in CASES.values()
    ]
    answers = scaling.in_process(4, cases)
    assert [answer["how"] for answer in answers] == [*CASES]
    for answer in answers:
        for name, tolerance in (("state", 0.01), ("sent", 0.02), ("temporary", 0.25)):
            expected = pytest.approx(answer[f"{name}_formula"], rel=tolerance)
            assert answer[name] == expected, answer


def test_a_store_has_the_size_of_the_formula(tmp_path):
    tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
    pairs = [("ab ba", "ba"), ("ba", "ab ab ba")]
    store = TokenStore.build(tmp_path / "store", pairs, tokenizer)
    source, target = store.lengths.mean(axis=0)
    files = [*(tmp_path / "store").glob("*.ids"), *(tmp_path / "store").glob("*.off*")]
    size = sum(path.stat().st_size for path in files)
    assert size == formulas.store_bytes(2, source, target, 9)


@pytest.mark.parametrize(
    "table", [planning.scaling, planning.store, planning.english_french]
)
def test_the_estimates_on_the_page_are_those_of_the_formulas(table):
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


def test_flops_are_those_of_the_published_share():
    # NVIDIA's example, big on an A100: 82,059 target tokens a second, 33 % of 312
    # TFLOP/s.
    config = TransformerConfig(
        source_vocab_size=33_000,
        target_vocab_size=33_000,
        d_model=1024,
        d_ff=4096,
        num_heads=16,
    )
    share = 82_059 * formulas.flops_per_token(config, 32) / 312e12
    assert share == pytest.approx(0.33, abs=0.01)
