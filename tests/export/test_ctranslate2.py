import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from layer_checks import ON_TORCH
from making import clear_sentences, is_clear, make_run, sentences, translation

from keras_transformer import Translator, evaluate, export
from keras_transformer.cli.main import main
from keras_transformer.config import DecodingConfig
from keras_transformer.export import CTranslate2Translator
from keras_transformer.text.special_tokens import BEGIN, END, PAD

pytestmark = ON_TORCH
SEARCH = dict(penalty="power", extra_length=9, max_source_length=60)
# Every option that CTranslate2 has, each with others, as a search is compiled anew for
# each set. What is exported are arrays of a file that no backend owns.
OPTIONS = [
    dict(
        share_embeddings=False,
        layer_norm_epsilon=1e-2,
        encoder_layers=1,
        decoder_layers=2,
    ),
    dict(activation="gelu", positions="learned", max_positions=44),
    dict(
        activation="silu",
        norm_first=True,
        positions="sinusoidal_halves",
        first_position=5,
        attention_bias=True,
        key_dim=5,
        value_dim=5,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", OPTIONS, ids="-".join)
def test_same_translations_as_translator(tmp_path, one_width, changes):
    run = make_run(tmp_path / "run", **changes)
    check = export.ctranslate2(run, tmp_path / "out", **SEARCH)
    assert check.largest_difference < 1e-5
    same_translations(run, tmp_path / "out")


def test_same_translations_with_the_papers_options(paper, fast, one_width):
    same_translations(paper, fast)


@pytest.fixture
def one_width(monkeypatch):
    """Searches of one width, as each more would be compiled anew."""
    monkeypatch.setattr(
        "keras_transformer.decoding.batching.bucket_edges", lambda longest: (longest,)
    )


def ids_before_end(hypotheses):
    return [hypothesis.ids for hypothesis in hypotheses[:-1]]


def same_translations(run, out):
    texts = [*sentences(97, seed=7), "", "été naïve 火", "a" * 60]
    for how in (dict(search="greedy"), dict(beam=4, n_best=3, batch_size=20)):
        translator = Translator.load(run, DecodingConfig(**SEARCH, **how))
        engine = CTranslate2Translator.load(out, **how)
        ours = translator.hypotheses(texts, token_scores=True)
        theirs = engine.hypotheses(texts)
        assert len({best.ids for best, *_ in ours}) > 40
        assert sum(best.ids[-1:] == (END,) for best, *_ in ours) > 75
        np.testing.assert_allclose(
            [h[0].score for h in theirs], [h[0].score for h in ours], atol=1e-4
        )
        pairs = [
            (one, other)
            for one, other in zip(theirs, ours)
            if other[0].text and is_clear(other)
        ]
        assert len(pairs) > 40
        for one, other in pairs:
            assert (one[0].ids, one[0].text) == (other[0].ids, other[0].text)
        # Lists may differ at their ends, where the two stop at different steps: on one
        # processor 0.84 of them agreed to the end.
        same = [ids_before_end(one) == ids_before_end(other) for one, other in pairs]
        assert np.mean(same) > 0.85
        for one in theirs:
            scores = [hypothesis.score for hypothesis in one]
            assert scores == sorted(scores, reverse=True)


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
    run, whole = wide
    out = tmp_path / "out"
    check = export.ctranslate2(run, out, quantization)
    assert 1e-7 < check.largest_difference < check.tolerance
    size = (out / "model.bin").stat().st_size
    assert size < share * (whole / "model.bin").stat().st_size
    config = json.loads((out / "config.json").read_text())
    assert config["quantization"] == quantization
    assert len(CTranslate2Translator.load(out)(sentences(5))) == 5


def test_what_is_never_generated(paper, fast, monkeypatch):
    """The first search is made to give padding; the second one may not."""
    engine = CTranslate2Translator.load(fast, n_best=4)
    # Suppressed tokens are missing from the softmax: the margin has to be wider.
    texts = [
        text
        for text, (best, second, *_) in zip(
            sentences(60, seed=3), engine.hypotheses(sentences(60, seed=3))
        )
        if best.score - second.score > 0.1
    ][:20]
    usual = engine.hypotheses(texts)
    assert not any({PAD, BEGIN} & set(h.ids) for found in usual for h in found)
    searched = engine._searched
    calls = []

    def padded(sources, suppressed=()):
        calls.append(len(sources))
        found = searched(sources, suppressed)
        if suppressed:
            return found
        return [
            [dataclasses.replace(h, ids=(PAD, *h.ids)) for h in hypotheses]
            for hypotheses in found
        ]

    monkeypatch.setattr(engine, "_searched", padded)
    again = engine.hypotheses(texts)
    assert calls == [20, 20]
    assert [h[0].ids for h in again] == [h[0].ids for h in usual]
    np.testing.assert_allclose(
        [h[0].score for h in again], [h[0].score for h in usual], atol=1e-4
    )


def test_scores_of_given_translations(paper, fast):
    sources = sentences(9)
    targets = [translation(text) for text in sentences(9, seed=1)]
    expected = Translator.load(paper).score(sources, targets)
    found = CTranslate2Translator.load(fast).score(sources, targets)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_threads_that_cannot_be(fast, monkeypatch):
    for wanted in ("0", "-3", "many", ",2"):
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
        message = f"OMP_NUM_THREADS must be at least 1; received '{wanted}'"
        with pytest.raises(ValueError, match=message):
            CTranslate2Translator.load(fast)


def test_token_scores(paper, fast):
    translator = Translator.load(paper, DecodingConfig(**SEARCH, n_best=2))
    texts = clear_sentences(translator, 30)
    ours = translator.hypotheses(texts, token_scores=True)
    theirs = CTranslate2Translator.load(fast).hypotheses(texts, token_scores=True)
    for (one,), (other, _) in zip(theirs, ours, strict=True):
        assert one.ids == other.ids
        np.testing.assert_allclose(one.token_scores, other.token_scores, atol=1e-4)


def test_what_it_does_not_have(paper, fast, tmp_path):
    engine = CTranslate2Translator.load(fast)
    with pytest.raises(ValueError, match="prefixes must be absent with CTranslate2"):
        engine.hypotheses(["a man"], prefixes=["ein"])
    message = (
        "penalty must be 'power' with CTranslate2, which has no other; received 'gnmt'"
    )
    with pytest.raises(ValueError, match=message):
        CTranslate2Translator.load(fast, penalty="gnmt")
    run = make_run(tmp_path / "run", epochs=0, key_dim=5, value_dim=3)
    message = "value_dim must be 5 for CTranslate2 in such a model; received 3"
    with pytest.raises(ValueError, match=message):
        export.ctranslate2(run, tmp_path / "out")
    message = (
        "quantization must be one of float32, float16, bfloat16, int8; received 'int4'"
    )
    with pytest.raises(ValueError, match=message):
        export.ctranslate2(paper, tmp_path / "out", "int4")
    assert not (tmp_path / "out").exists()


def test_evaluate_takes_it(fast, tmp_path):
    engine = CTranslate2Translator.load(fast)
    texts = sentences(12)
    (tmp_path / "a.en").write_text("\n".join(texts))
    (tmp_path / "a.de").write_text("\n".join(map(translation, texts)))
    found = evaluate(engine, tmp_path / "a.en", tmp_path / "a.de")
    assert found.translations == engine(texts)


def test_a_document(fast, tmp_path, monkeypatch):
    pytest.importorskip("translate", reason="the extra `documents` is not installed")
    (text,) = sentences(1)
    (tmp_path / "a.md").write_text(f"# {text}\n")
    monkeypatch.chdir(tmp_path)
    files = ["--input", "a.md", "--output", "b.md", "--review", "r.tsv"]
    assert main(["translate", str(fast), *files]) == 0
    found = (tmp_path / "b.md").read_text()
    assert found == f"# {CTranslate2Translator.load(fast)(text)}\n"
    assert float((tmp_path / "r.tsv").read_text().split()[4]) < 0


def test_text_that_is_only_spaces(paper, fast):
    engine = CTranslate2Translator.load(fast)
    translator = Translator.load(paper)
    for text in ("", " ", "\u2581", "\u2581 \u3000"):
        assert engine.hypotheses([text]) == translator.hypotheses([text])
    assert engine([]) == []


def test_the_command_starts_without_keras(fast):
    """Nor anything else that takes long to import: the command starts at once."""
    program = """
import sys
from keras_transformer.cli.main import main
status = main()
slow = {"keras", "tensorflow", "jax", "torch", "h5py", "scipy", "sacrebleu"}
sys.exit(status or " ".join(slow & set(sys.modules)) or 0)
"""
    command = [sys.executable, "-c", program, "translate", "--runtime", "ctranslate2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("KERAS_BACKEND", None)
    answer = subprocess.run(
        [*command, str(fast), "a man"], capture_output=True, text=True, env=environment
    )
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 1


def test_eight_threads_get_what_one_gets(fast):
    engine = CTranslate2Translator.load(fast, n_best=2)
    rows = [sentences(5, seed=seed) for seed in range(8)]

    def work(texts):
        found = list(engine.stream(iter(texts), token_scores=True))
        return found, engine.score(texts, texts)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, rows))
    assert together == [work(texts) for texts in rows]
