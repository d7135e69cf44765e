import dataclasses
import json
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from layer_checks import NOT_ON_JAX
from making import make_run, sentences, translation

from keras_transformer import Translator, evaluate, export
from keras_transformer.config import PRESETS, DecodingConfig
from keras_transformer.export import CTranslate2Translator
from keras_transformer.text.special_tokens import BEGIN, END, PAD

# Every option that CTranslate2 has, each with others, as a search is compiled anew for
# each set.
OPTIONS = [
    {},
    dict(activation="gelu", positions="learned", max_positions=44),
    dict(activation="silu", norm_first=True, positions="sinusoidal_halves"),
    dict(attention_bias=True, norm_first=True, key_dim=5, value_dim=5),
    dict(
        share_embeddings=False,
        layer_norm_epsilon=1e-2,
        encoder_layers=1,
        decoder_layers=2,
    ),
]

# What is exported are arrays of a file that no backend owns: the others show some of
# it.
CASES = OPTIONS if keras.backend.backend() == "tensorflow" else [OPTIONS[0], OPTIONS[4]]
CASES = [pytest.param(changes, marks=NOT_ON_JAX) for changes in CASES]


@pytest.mark.parametrize(
    "changes",
    CASES,
    ids=lambda changes: "-".join(map(str, changes.values())) or "paper",
)
def test_same_translations_as_translator(tmp_path, monkeypatch, changes):
    # Searches of one width: each more would be compiled anew, and that they agree is
    # shown elsewhere.
    monkeypatch.setattr(
        "keras_transformer.decoding.translator.bucket_edges", lambda longest: (longest,)
    )
    run = make_run(tmp_path / "run", **changes)
    search = dict(penalty="power", extra_length=9, max_source_length=60)
    check = export.ctranslate2(run, tmp_path / "out", **search)
    assert check.largest_difference < 1e-5
    texts = [*sentences(197, seed=7), "", "été naïve 火", "a" * 60]
    for how in (
        dict(search="greedy"),
        dict(beam=4),
        dict(beam=4, n_best=3, batch_size=5),
    ):
        ours = Translator.load(run, DecodingConfig(**search, **how)).hypotheses(texts)
        theirs = CTranslate2Translator.load(tmp_path / "out", **how).hypotheses(texts)
        assert len({best.tokens for best, *_ in ours}) > 80
        assert sum(best.tokens[-1:] == (END,) for best, *_ in ours) > 150
        assert [h[0].tokens for h in theirs] == [h[0].tokens for h in ours]
        assert [h[0].text for h in theirs] == [h[0].text for h in ours]
        np.testing.assert_allclose(
            [h[0].score for h in theirs], [h[0].score for h in ours], atol=1e-4
        )
        # The lists may differ at their ends, where the two stop at different steps.
        assert (
            sum(
                [h.tokens for h in one] == [h.tokens for h in other]
                for one, other in zip(theirs, ours)
            )
            > 170
        )
        assert all(
            sorted(h.score for h in one)[::-1] == [h.score for h in one]
            for one in theirs
        )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ctranslate2")
    run = make_run(folder / "run", epochs=3)
    export.ctranslate2(run, folder / "out", extra_length=9)
    return run, folder / "out"


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A run whose matrices are most of it, and its export in float32."""
    folder = tmp_path_factory.mktemp("wide")
    run = make_run(folder / "run", epochs=0, d_ff=4096)
    export.ctranslate2(run, folder / "out")
    return run, folder / "out"


@pytest.mark.parametrize(
    "quantization, share", [("float16", 0.51), ("bfloat16", 0.51), ("int8", 0.4)]
)
def test_quantized_weights_take_less_room(wide, tmp_path, quantization, share):
    run, out = wide
    check = export.ctranslate2(run, tmp_path / "out", quantization)
    assert 1e-7 < check.largest_difference < check.tolerance
    assert (tmp_path / "out" / "model.bin").stat().st_size < share * (
        out / "model.bin"
    ).stat().st_size
    assert (
        json.loads((tmp_path / "out" / "config.json").read_text())["quantization"]
        == quantization
    )
    assert len(CTranslate2Translator.load(tmp_path / "out")(sentences(5))) == 5


def test_what_is_never_generated(exported, monkeypatch):
    """Most targets are made to look like padding: the first search gives it, the second one may not."""
    run, out = exported
    engine = CTranslate2Translator.load(out, n_best=4)
    texts = sentences(20, seed=3)
    usual = engine.hypotheses(texts)
    assert not any({PAD, BEGIN} & set(h.tokens) for found in usual for h in found)
    searched, calls = engine._searched, []

    def padded(sources, suppressed=()):
        calls.append(len(sources))
        found = searched(sources, suppressed)
        if suppressed:
            return found
        return [
            [dataclasses.replace(h, tokens=(PAD, *h.tokens)) for h in hypotheses]
            for hypotheses in found
        ]

    monkeypatch.setattr(engine, "_searched", padded)
    again = engine.hypotheses(texts)
    assert calls == [20, 20]
    assert [h[0].tokens for h in again] == [h[0].tokens for h in usual]
    np.testing.assert_allclose(
        [h[0].score for h in again], [h[0].score for h in usual], atol=1e-4
    )


def test_scores_of_given_translations(exported):
    run, out = exported
    sources, targets = (
        sentences(9),
        [translation(text) for text in sentences(9, seed=1)],
    )
    expected = Translator.load(run).score(sources, targets)
    np.testing.assert_allclose(
        CTranslate2Translator.load(out).score(sources, targets), expected, atol=1e-4
    )


def test_token_scores(exported):
    run, out = exported
    search = dict(penalty="power", extra_length=9)
    ours = Translator.load(run, DecodingConfig(**search)).hypotheses(
        sentences(30), token_scores=True
    )
    theirs = CTranslate2Translator.load(out).hypotheses(
        sentences(30), token_scores=True
    )
    for (one,), (other,) in zip(theirs, ours, strict=True):
        assert one.tokens == other.tokens
        np.testing.assert_allclose(one.token_scores, other.token_scores, atol=1e-4)


def test_what_it_does_not_have(exported, tmp_path):
    engine = CTranslate2Translator.load(exported[1])
    with pytest.raises(ValueError, match="prefixes must be absent with CTranslate2"):
        engine.hypotheses(["a man"], prefixes=["ein"])
    with pytest.raises(
        ValueError,
        match="penalty must be 'power' with CTranslate2, which has no other; received 'gnmt'",
    ):
        CTranslate2Translator.load(exported[1], penalty="gnmt")
    run = make_run(tmp_path / "run", epochs=0, key_dim=5, value_dim=3)
    with pytest.raises(
        ValueError,
        match="CTranslate2 needs value_dim equal to key_dim; received 3 and 5",
    ):
        export.ctranslate2(run, tmp_path / "out")
    with pytest.raises(
        ValueError,
        match="quantization must be one of float32, float16, bfloat16, int8; received 'int4'",
    ):
        export.ctranslate2(exported[0], tmp_path / "out", "int4")
    assert not (tmp_path / "out").exists()


def test_evaluate_takes_it(exported, tmp_path):
    texts = sentences(12)
    (tmp_path / "a.en").write_text("\n".join(texts))
    (tmp_path / "a.de").write_text("\n".join(map(translation, texts)))
    engine = CTranslate2Translator.load(exported[1])
    assert evaluate(
        engine, tmp_path / "a.en", tmp_path / "a.de"
    ).translations == engine(texts)


def test_text_that_is_only_spaces(exported):
    engine, translator = (
        CTranslate2Translator.load(exported[1]),
        Translator.load(exported[0]),
    )
    for text in ("", " ", "\u2581", "\u2581 \u3000"):
        assert engine.hypotheses([text]) == translator.hypotheses([text])
    assert engine([]) == []


def test_the_command_starts_without_keras_and_at_once(tmp_path):
    run = make_run(tmp_path / "run", epochs=0, **PRESETS["tiny"])
    export.ctranslate2(run, tmp_path / "out")
    program = (
        "import sys; from keras_transformer.cli.main import main; status = main()\n"
        "sys.exit(status or str({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)).replace('set()', '') or 0)"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "translate",
        "--runtime",
        "ctranslate2",
        str(tmp_path / "out"),
        "a man",
    ]
    environment = {
        name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"
    }
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**environment, "OMP_NUM_THREADS": "1"},
        )
        seconds.append(time.perf_counter() - begin)
        assert answer.returncode == 0 and len(answer.stdout.splitlines()) == 1, (
            answer.stderr
        )
    assert min(seconds) < 2.0
