import json

import pytest

from keras_transformer.pretrained.tokenizers import files
from keras_transformer.pretrained.tokenizers.base import Vocabulary
from keras_transformer.pretrained.tokenizers.load import load_folder
from keras_transformer.pretrained.tokenizers.marian import MarianTokenizer
from keras_transformer.pretrained.tokenizers.multilingual import MultilingualTokenizer
from keras_transformer.text.special_tokens import SpecialTokens
from keras_transformer.text.tokenizer import Tokenizer

MODEL = Tokenizer.train(
    ["a man rides a bike", "a man rides a horse"], vocab_size=24
).serialized
PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "\u2581a",
    "\u2581m",
    "an",
    "\u2581",
    "<mask>",
    ">>de<<",
]
VOCABULARY = Vocabulary(
    PIECES,
    SpecialTokens(1, 3, 2, 2),
    marks=["</s>", "<s>"],
    hidden=[8],
    source_suffix=[2],
)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "tokenizer"
    MultilingualTokenizer(VOCABULARY, {"text.spm": MODEL}, "words").save(path)
    return path


def change(folder, **said):
    kind = json.loads((folder / "kind.json").read_text())
    (folder / "kind.json").write_text(json.dumps(kind | said))


def test_marks_in_a_text():
    tokenizer = MarianTokenizer(
        VOCABULARY, {"encoder.spm": MODEL, "decoder.spm": MODEL}
    )
    lines = ["a</s><s>>>de<<a", "", "<</s>>", ">>de<<an", ">>xx<<", ">>de< <"]
    assert tokenizer.encode(lines[:5]) == [
        [4, 2, 0, 9, 4],
        [],
        [7, 3, 2, 7, 3],
        [9, 4, 3],
        [3],
    ]
    assert 9 not in tokenizer.encode(lines[5:])[0]
    without = Vocabulary(PIECES, VOCABULARY.special)
    models = {"encoder.spm": MODEL, "decoder.spm": MODEL}
    # Only marks are read in a text.
    assert 2 not in MarianTokenizer(without, models).encode(["</s>"])[0]


def test_a_mask_takes_the_spaces_before_it():
    marks = ["</s>", "<mask>"]
    vocabulary = Vocabulary(PIECES, VOCABULARY.special, marks=marks)
    for rule in ("words", "characters"):
        tokenizer = MultilingualTokenizer(vocabulary, {"text.spm": MODEL}, rule)
        assert tokenizer.encode(["a  <mask> a", "<mask>"]) == [[4, 8, 4], [8]]
        assert tokenizer.decode([[4, 8, 7, 4]]) == ["a  a"]


def test_many_spaces_take_no_time():
    for rule in ("sentencepiece", "characters", "words"):
        vocabulary = Vocabulary(PIECES, VOCABULARY.special, marks=["<mask>"])
        tokenizer = MultilingualTokenizer(vocabulary, {"text.spm": MODEL}, rule)
        assert (
            len(tokenizer.encode([" " * 200_000 + "a" + "\t" * 200_000])[0]) < 400_002
        )


def test_saving_and_loading(folder):
    again = load_folder(folder)
    assert (
        again.vocabulary == VOCABULARY
        and again.pieces == PIECES
        and again.vocab_size == 10
    )
    assert again.options == {"rule": "words"}
    assert {path.name for path in folder.iterdir()} == {
        "kind.json",
        "pieces.json",
        "text.spm",
    }
    # Nothing left aside.
    assert [path.name for path in folder.parent.iterdir()] == ["tokenizer"]


CHANGED = [
    ({"kind": "other"}, "kind must be one of marian, multilingual, fsmt, .* 'other'"),
    ({"kind": ["marian"]}, r"kind must be one of .*; received \['marian'\]"),
    ({"kind": "marian"}, "encoder.spm' cannot be used: No such file"),
    ({"special": {"pad": 99}}, "special must have ids between 0 and 9; received 99"),
    ({"special": []}, "must be a mapping"),
    ({"hidden": ["a"]}, "hidden must have ids between 0 and 9; received 'a'"),
    ({"rule": "none"}, "rule must be .* characters, words; received 'none'"),
    ({"code": "print()"}, "unexpected keyword argument 'code'"),
]


@pytest.mark.parametrize("said, message", CHANGED)
def test_a_changed_description(folder, said, message):
    change(folder, **said)
    with pytest.raises(ValueError, match=message):
        load_folder(folder)


WITHOUT = b'{"kind": "multilingual"}'
CUT = MODEL[:-100] + b"\xff" * 100
DAMAGED = [
    ("kind.json", b"{", "kind.json' cannot be used: Expecting"),
    ("kind.json", b"[]", r"kind.json' .* must be a dict; received '\[\]'"),
    ("kind.json", b"{}", "kind must be one of .*; received None"),
    ("kind.json", WITHOUT, "tokenizer' cannot be used: 'special'"),
    ("pieces.json", b'{"a": 0}', "pieces.json' .* must be a list; received .{'a': 0}"),
    ("pieces.json", b"[" * 100_000, "pieces.json' cannot be used: "),
    ("pieces.json", b'["\xff"]', "pieces.json' cannot be used: 'utf-8' codec"),
    ("pieces.json", b'["a"]', "tokenizer' .*: marks must be in the vocabulary"),
    ("text.spm", b"", "tokenizer' .*: text.spm must be the .* model; received b''"),
    ("text.spm", CUT, "tokenizer' .*: text.spm must be the content of a Sentence"),
    ("text.spm", bytes(2000), "text.spm' .* at most 1,000 bytes; received 2000"),
]


@pytest.mark.parametrize("name, content, message", DAMAGED)
def test_a_damaged_file(folder, name, content, message, monkeypatch):
    if "at most" in message:
        monkeypatch.setattr(files, "LARGEST_MODEL", 1000)
        (folder / "pieces.json").write_text("[]")
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_folder(folder)


def test_a_missing_folder(tmp_path):
    with pytest.raises(ValueError, match="kind.json' cannot be used: No such file"):
        load_folder(tmp_path)


def test_wrong_calls():
    tokenizer = MultilingualTokenizer(VOCABULARY, {"text.spm": MODEL})
    assert tokenizer.encode([]) == tokenizer.decode([]) == []
    with pytest.raises(
        ValueError, match="lines must be a list of strings; received 'a man'"
    ):
        tokenizer.encode("a man")
    with pytest.raises(ValueError, match="ids must lie between 0 and 9; received 10"):
        tokenizer.decode([[4], [4, 10]])
    with pytest.raises(ValueError, match="ids must lie between 0 and 9; received -1"):
        tokenizer.decode([[-1]])
