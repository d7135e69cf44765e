import io

import pytest
import sentencepiece

from keras_transformer.text.normalization import normalize
from keras_transformer.text.special_tokens import BEGIN, END, PAD, SpecialTokens
from keras_transformer.text.tokenizer import Tokenizer

LINES = [
    "A man in a blue shirt.",
    "Ein Mann mit größerem Hemd — ½ ﬁ…",
    'Zwei Hunde rennen; "sie" bellen!',
    "a man, a dog",
] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(LINES, vocab_size=80)


@pytest.mark.parametrize(
    "model_type, byte_fallback, size",
    [("bpe", False, 80), ("unigram", False, 45), ("bpe", True, 320)],
)
def test_decoding_gives_back_the_text(model_type, byte_fallback, size):
    tokenizer = Tokenizer.train(iter(LINES), size, model_type, byte_fallback)
    assert tokenizer.vocab_size == size
    assert tokenizer.decode(tokenizer.encode(LINES)) == LINES
    assert tokenizer.decode(tokenizer.encode(["  a   man  ", ""])) == ["a man", ""]
    unseen = tokenizer.decode(tokenizer.encode(["☃"]))[0]
    assert unseen == "☃" if byte_fallback else "⁇" in unseen


def test_special_tokens(tokenizer):
    ids = tokenizer.encode(["a man"])[0]
    assert tokenizer.decode([[BEGIN, *ids, END, PAD, PAD], [END]]) == ["a man", ""]
    assert tokenizer.special == SpecialTokens(pad=0, unknown=1, begin=2, end=3)
    assert (
        tokenizer.source_prefix,
        tokenizer.source_suffix,
        tokenizer.target_prefix,
    ) == ((), (END,), ())
    # Text cannot spell them.
    ids = tokenizer.encode(["<pad> <s> </s>", " ".join(tokenizer.pieces[:4])])
    assert not {PAD, BEGIN, END} & {*ids[0], *ids[1]}


SYMBOLS = "<unk> <s> </s> <pad> <0x41> ▁ a▁b ▅ \u2047 <mask>"


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("byte_fallback, size", [(False, 78), (True, 334)])
def test_nothing_seen_in_training_is_unknown(kind, byte_fallback, size):
    lines = [
        *LINES,
        SYMBOLS,
        "\0ж" + "xy" * 9000 + "ß",  # the trainer would leave it out: it is long
        "qrs" * 30_000 + " é",
        "10\u00a0% e\u0301\tÆ",
        "\ufffd\ue000\U0010fffd",
    ]
    tokenizer = Tokenizer.train(lines, size, kind, byte_fallback)
    rows = tokenizer.encode(lines)
    assert not any(tokenizer.special.unknown in row for row in rows)
    texts = tokenizer.decode(rows)
    assert texts[-5] == SYMBOLS
    assert texts[-2] == "10 % é Æ"
    assert [*map(normalize, texts)] == [*map(normalize, lines)]
    assert "</s>" not in tokenizer.pieces[:4]


def test_characters_after_the_sample_are_known(monkeypatch):
    monkeypatch.setattr("keras_transformer.text.tokenizer.LARGEST_SAMPLE", 2)
    tokenizer = Tokenizer.train(["ab ba", "ba ab", "ж", "<s>"], vocab_size=13)
    assert tokenizer.decode(tokenizer.encode(["aж <s>"])) == ["aж <s>"]


def test_an_older_model_keeps_its_rule():
    """Runs of before have SentencePiece's identity, and its names of special tokens."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_writer=model,
        vocab_size=80,
        model_type="bpe",
        normalization_rule_name="identity",
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    tokenizer = Tokenizer(model.getvalue())
    assert tokenizer.pieces[:4] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert tokenizer.decode(tokenizer.encode(LINES)) == LINES
    assert tokenizer.special.unknown in tokenizer.encode(["A\u00a0man"])[0]


def test_nothing_in_nothing_out(tokenizer):
    assert tokenizer.encode([]) == tokenizer.decode([]) == []


def test_training_is_deterministic_and_silent(tokenizer, tmp_path, capfd):
    Tokenizer.train(LINES, vocab_size=80).save(tmp_path / "again.model")
    tokenizer.save(tmp_path / "tokenizer.model")
    assert (tmp_path / "again.model").read_bytes() == (
        tmp_path / "tokenizer.model"
    ).read_bytes()
    assert capfd.readouterr() == ("", "")
    assert Tokenizer.load(tmp_path / "tokenizer.model").encode(
        LINES
    ) == tokenizer.encode(LINES)
    # Nothing left aside.
    assert {path.name for path in tmp_path.iterdir()} == {
        "again.model",
        "tokenizer.model",
    }


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            (LINES, 5000),
            r"vocab_size must be at most \d+ for these lines; received 5000",
        ),
        ((LINES, 10), r"vocab_size must be at least \d+ for these lines; received 10"),
        (([], 100), "lines must contain text; received none"),
        ((["", " "], 100), "lines must contain text; received none"),
        ((LINES, 80, "word"), "model_type must be 'bpe' or 'unigram'; received 'word'"),
        ((["\u200b", "\ufeff\t"], 100), "lines must contain text; received none"),
        ((None, 100), "lines must be a list of strings; received None"),
        (([b"a man"], 100), r"lines\[0\] must be a string; received b'a man'"),
        ((["a", "\udcff"], 100), r"lines\[1\] must be text without lone surrogates"),
        ((LINES, -1), r"vocab_size must be at least 1; received -1"),
        ((LINES, 4), r"vocab_size must lie between 5 and 2147483647; received 4"),
        ((LINES, 1 << 40), r"vocab_size must lie between 5 and 2147483647; rec"),
    ],
)
def test_training_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Tokenizer.train(*arguments)


def test_largest_size_stated_is_possible():
    with pytest.raises(ValueError) as caught:
        Tokenizer.train(LINES, 5000)
    largest = int(str(caught.value).split("at most ")[1].split()[0])
    assert Tokenizer.train(LINES, largest).vocab_size == largest


def test_an_error_in_the_lines_stays_itself():
    def lines():
        yield "a man"
        raise ValueError("train.en must be UTF-8")

    with pytest.raises(ValueError, match="^train.en must be UTF-8$"):
        Tokenizer.train(lines(), 80)


def test_files_that_are_no_tokenizer(tmp_path):
    path = tmp_path / "tokenizer.model"
    with pytest.raises(
        ValueError, match="path must be a tokenizer's file; received .*No such file"
    ):
        Tokenizer.load(path)
    for content in (b"", b"junk", b"\x0a\x03abc"):
        path.write_bytes(content)
        message = "received .*tokenizer.model: model must be the content of a S"
        with pytest.raises(ValueError, match=message):
            Tokenizer.load(path)
    # SentencePiece's own ids: unknown 0, begin 1, end 2, no pad.
    with open(path, "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES),
            model_writer=file,
            vocab_size=45,
            minloglevel=2,
        )
    with pytest.raises(
        ValueError,
        match=r"\(pad=0, unknown=1, begin=2, end=3\); received .*\(pad=-1, unknown=0, ",
    ):
        Tokenizer.load(path)


def test_wrong_calls(tokenizer):
    with pytest.raises(
        ValueError, match="lines must be a list of strings; received 'a man'"
    ):
        tokenizer.encode("a man")
    with pytest.raises(ValueError, match=r"lines\[1\] must be a string; received None"):
        tokenizer.encode(["a man", None])
    with pytest.raises(ValueError, match="ids must lie between 0 and 79; received 80"):
        tokenizer.decode([[5], [5, 80]])
    with pytest.raises(ValueError, match="ids must lie between 0 and 79; received -1"):
        tokenizer.decode([[-1]])
    for wrong in ([4, 5], [[4.7]], [["4"]], [None]):
        with pytest.raises(ValueError, match="ids must be lists of integers, one for"):
            tokenizer.decode(wrong)
    message = "vocab_size must be an integer of at least 1; received 20.0"
    with pytest.raises(ValueError, match=message):
        Tokenizer.train(["a b"], vocab_size=20.0)
