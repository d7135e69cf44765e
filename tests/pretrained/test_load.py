"""A checkpoint becomes a run on which everything works."""

import json

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from checkpoints import complete  # noqa: E402
from tokenizer_folders import FOLDERS  # noqa: E402

from keras_transformer import Translator, pretrained  # noqa: E402
from keras_transformer.config import DecodingConfig  # noqa: E402
from keras_transformer.files import sha256  # noqa: E402
from keras_transformer.run_directory import load_model  # noqa: E402

TEXTS = ["The quick brown fox is not afraid.", "Dogs!", "eine Katze, zwei Katzen"]
GREEDY = DecodingConfig(search="greedy", extra_length=5)


@pytest.fixture(scope="module", params=FOLDERS)
def imported(request, tmp_path_factory):
    """Name, their model, the folder, the languages, our model, the run."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs, languages = complete(folder / "checkpoint", request.param)
    ours = pretrained.load(folder / "checkpoint", folder / "run", *languages)
    return request.param, theirs, folder / "checkpoint", languages, ours, folder / "run"


def test_translates_as_transformers_do(imported):
    name, theirs, folder, languages, ours, run = imported
    translator = Translator.load(run, GREEDY)
    named = {} if languages[0] is None else dict(src_lang=languages[0], tgt_lang=languages[1])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **named)
    frame = translator.frame
    for text, (found,) in zip(TEXTS, translator.hypotheses(TEXTS), strict=True):
        source = tokenizer(text, return_tensors="pt")
        expected = theirs.generate(
            **source,
            num_beams=1,
            do_sample=False,
            max_new_tokens=source.input_ids.shape[1] + GREEDY.extra_length,
            decoder_start_token_id=frame.begin,
            forced_bos_token_id=frame.target_prefix[0] if frame.target_prefix else None,
            bad_words_ids=[[token] for token in frame.never],
        )
        assert list(found.tokens) == expected[0, 1:].tolist()
        assert found.tokens[: len(frame.target_prefix)] == frame.target_prefix


def test_the_run_holds_the_model_and_where_it_is_from(imported):
    name, theirs, folder, languages, ours, run = imported
    for again in (load_model(run), keras.models.load_model(run / "model.keras")):
        assert again.config == ours.config
        assert all(np.array_equal(one, other) for one, other in zip(ours.get_weights(), again.get_weights()))
    assert ours.count_params() == ours.config.parameters
    origin = json.loads((run / "config.json").read_text())["origin"]
    assert origin["source"] == str(folder) and origin["files"]["model.safetensors"] == sha256(
        folder / "model.safetensors"
    )
