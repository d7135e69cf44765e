import json

import folders
import pytest
from scripts import sentences

from keras_transformer.pretrained import languages
from keras_transformer.pretrained.tokenizers import load_tokenizers

transformers = pytest.importorskip("transformers")
LINES = sentences(500)
NLLB = ("ace_Arab", "deu_Latn", "eng_Latn", "zho_Hans")
FOLDERS = {
    "marian": (folders.marian, {}, {}),
    "marian-separate": (lambda folder: folders.marian(folder, separate=True), {}, {}),
    "m2m_100": (lambda folder: folders.m2m100(folder, languages.M2M100), {"en": "de"}, {}),
    "nllb": (lambda folder: folders.nllb(folder, NLLB), {"eng_Latn": "deu_Latn"}, {}),
    "mbart": (lambda folder: folders.mbart(folder, "MBartTokenizer", languages.MBART), {"en_XX": "de_DE"}, {}),
    "mbart-50": (lambda folder: folders.mbart(folder, "MBart50Tokenizer", languages.MBART50), {"en_XX": "de_DE"}, {}),
    "fsmt": (folders.fsmt, {}, {}),
}


def read(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(scope="module", params=FOLDERS)
def loaded(request, tmp_path_factory):
    """A family's name, our two tokenizers and transformers' own, from the same files."""
    make, pair, _ = FOLDERS[request.param]
    folder = make(tmp_path_factory.mktemp("checkpoint"))
    (source, target), *_ = pair.items() or [(None, None)]
    theirs = transformers.AutoTokenizer.from_pretrained(
        folder, **({"src_lang": source, "tgt_lang": target} if pair else {})
    )
    return request.param, load_tokenizers(folder, read(folder), source, target), theirs


def with_ends(tokenizer, lines):
    return [[*tokenizer.source_prefix, *ids, *tokenizer.source_suffix] for ids in tokenizer.encode(lines)]


def test_ids_are_those_of_transformers(loaded):
    name, (source, target), theirs = loaded
    assert with_ends(source, LINES) == theirs(LINES).input_ids
    if name.startswith("marian"):  # FSMT's cuts targets by the rules of the source: see the test below
        assert with_ends(target, LINES) == theirs(text_target=LINES).input_ids
    found = {number for ids in source.encode(LINES) for number in ids}
    assert len(found) > 300 and source.special.unknown in found  # the comparison has met most of the vocabulary
