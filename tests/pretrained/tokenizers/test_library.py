"""What tokenizers that the library `tokenizers` runs make of a checkpoint's files."""

import json

import pytest
import tokenizer_folders as folders
from scripts import sentences
from tokenizer_folders import read

from keras_transformer.pretrained.tokenizers.library import content_in, tokenizer_of
from keras_transformer.pretrained.tokenizers.load import load_tokenizers

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from encoder_checkpoints import byte_pairs, word_pieces  # noqa: E402

LINES = sentences(50)


def with_ends(tokenizer, lines):
    around = (tokenizer.source_prefix, tokenizer.source_suffix)
    return [[*around[0], *ids, *around[1]] for ids in tokenizer.encode(lines)]


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_files_of_old_and_new(tmp_path, name):
    """BART's two files, and T5's in one: the ids are those of the others."""
    if name == "bart":
        folder = folders.bart(tmp_path, whole=False)
        assert not (folder / "tokenizer.json").exists()
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
    else:
        folder = folders.t5(tmp_path)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        theirs.save_pretrained(folder)
        (folder / "spiece.model").unlink()
    source, target = load_tokenizers(folder, read(folder))
    assert source is target and source.kind == "tokenizers"
    assert with_ends(source, LINES) == theirs(LINES).input_ids
    rows = source.encode(LINES)
    assert source.decode(rows) == theirs.batch_decode(rows, skip_special_tokens=True)
    with pytest.raises(ValueError, match=f"target_lang must be absent for {name}; rec"):
        load_tokenizers(folder, read(folder), target_lang="de")
    for path in folder.glob("*.json"):
        if path.name in ("tokenizer.json", "vocab.json"):
            path.write_text("{}")
    with pytest.raises(ValueError, match="tokenizer|vocab"):
        load_tokenizers(folder, read(folder))


@pytest.mark.parametrize("whole", [True, False])
def test_a_special_token_that_the_model_has_no_row_for(tmp_path, whole):
    """As facebook/bart-large-cnn's mask, which is its last token."""
    folder = folders.bart(tmp_path, whole=whole)
    size = read(folder)["vocab_size"] - 1
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs.mask_token_id == size
    source, _ = load_tokenizers(folder, read(folder) | {"vocab_size": size})
    assert source.vocab_size == size
    assert with_ends(source, ["A fox."]) == theirs(["A fox."]).input_ids
    expected = theirs("a <mask> fox", add_special_tokens=False).input_ids
    expected[expected.index(size)] = source.special.unknown
    assert source.encode(["a <mask> fox"]) == [expected]
    message = f"tokenizer.json must have ids between 0 and {size - 2}; received"
    with pytest.raises(ValueError, match=message):
        load_tokenizers(folder, read(folder) | {"vocab_size": size - 1})


def test_what_stands_around_a_text_is_the_files(tmp_path):
    """Of CodeT5, a T5 with RoBERTa's tokenizer, a begin token."""
    folder = folders.bart(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    config = read(folder) | dict(model_type="t5", decoder_start_token_id=1)
    source, _ = load_tokenizers(folder, config)
    assert with_ends(source, LINES) == theirs(LINES).input_ids
    assert source.target_prefix == source.source_prefix == (theirs.bos_token_id,)
    content = json.loads((folder / "tokenizer.json").read_text())
    folders.write(folder, tokenizer__json=content | {"post_processor": None})
    message = r"tokenizer.json must put '</s>' after a text; received \[\]"
    with pytest.raises(ValueError, match=message):
        load_tokenizers(folder, config)


MASKED = {"__type": "AddedToken", "content": "<mask>", **folders.MASK}
SETTINGS = [
    (byte_pairs, {}),
    (byte_pairs, {"add_prefix_space": True}),
    (byte_pairs, {"mask_token": MASKED}),
    (word_pieces, {}),
    (word_pieces, {"strip_accents": False}),
    (word_pieces, {"tokenize_chinese_chars": False}),
    (word_pieces, {"do_lower_case": False}),
]


def set_(folder, **settings):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@pytest.mark.parametrize("make, settings", SETTINGS)
def test_settings_of_older_files(tmp_path, make, settings):
    make(tmp_path)
    set_(tmp_path, **settings)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours = tokenizer_of(content_in(tmp_path))
    lines = ["man", "A  <mask> man", "naïve Café", "火火 ä", *LINES]
    found = [row.ids for row in ours.encode_batch(lines)]
    assert found == theirs(lines).input_ids


@pytest.mark.parametrize("make", [byte_pairs, word_pieces])
def test_special_tokens_that_the_library_would_not_know(tmp_path, make):
    make(tmp_path)
    folders.write(tmp_path, added_tokens__json={"<new>": 999})
    message = "tokenizer must have the special token '<new>' with its id; received None"
    with pytest.raises(ValueError, match=message):
        content_in(tmp_path)
