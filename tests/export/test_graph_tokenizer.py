import unicodedata

import pytest
from layer_checks import ON_TORCH, marked, some_slow
from scripts import sentences
from shared import OPUS_MT, needs
from tokenizer_folders import FOLDERS, read

from keras_transformer.pretrained.tokenizers.load import load_tokenizers
from keras_transformer.text.tokenizer import Tokenizer

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")
from keras_transformer.export.graph_tokenizer import graph_tokenizer  # noqa: E402

# Without runs of a character that has a piece for two: see `graph_tokenizer` on ties.
LINES = [
    line
    for line in sentences(500, seed=5)
    if not any(tied in line for tied in ("..", "…", "000"))
]


class Saved(tf.Module):
    """Two tokenizers in one SavedModel, as in an export."""

    def __init__(self, source, target):
        super().__init__()
        self.source = graph_tokenizer(source, "source")
        self.target = graph_tokenizer(target, "target")

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,), tf.string)])
    def tokenize(self, text):
        return self.source.tokenize(text).to_tensor(-1), self.target.tokenize(
            text
        ).to_tensor(-1)

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec((None, None), tf.int32)]
    )
    def detokenize(self, ids):
        return self.target.detokenize(ids)


IN_GRAPHS = [name for name in FOLDERS if name not in ("fsmt", "bart")]
LIKE_OTHERS = ("marian-separate", "mbart")


@marked(ON_TORCH)
@pytest.mark.parametrize("name", some_slow(IN_GRAPHS, LIKE_OTHERS))
def test_ids_and_texts_are_those_of_the_class(name, tmp_path):
    make, pair = FOLDERS[name]
    folder = make(tmp_path / "checkpoint")
    source, target = load_tokenizers(
        folder, read(folder), *([*pair.items()] or [()])[0]
    )
    tf.saved_model.save(Saved(source, target), str(tmp_path / "saved"))
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    for found, tokenizer in zip(saved.tokenize(tf.constant(LINES)), (source, target)):
        assert [
            [number for number in row if number >= 0] for row in found.numpy().tolist()
        ] == tokenizer.encode(LINES)
    assert [
        text.decode() for text in saved.detokenize(found_ids(target)).numpy()
    ] == target.decode(found_ids(target))
    assert saved.tokenize(tf.constant([], tf.string))[0].shape[0] == 0


def found_ids(tokenizer):
    """The ids of the lines as a search gives them: padded, with a prefix and an end."""
    rows = [
        [*tokenizer.target_prefix, *ids, tokenizer.special.end]
        for ids in tokenizer.encode(LINES)
    ]
    width = max(map(len, rows))
    return [row + [tokenizer.special.pad] * (width - len(row)) for row in rows]


@needs(OPUS_MT)
def test_the_files_of_opus_mt():
    """With all lines: of these models' cuts no two are equal."""
    for number, tokenizer in enumerate(load_tokenizers(OPUS_MT, read(OPUS_MT))):
        lines = sentences(500, seed=5)
        graph = graph_tokenizer(tokenizer, f"opus_mt_{number}")
        rows = graph.tokenize(tf.constant(lines))
        assert rows.to_list() == tokenizer.encode(lines)
        assert [
            text.decode() for text in graph.detokenize(rows).numpy()
        ] == tokenizer.decode(rows.to_list())


@pytest.mark.parametrize("kind, size", [("bpe", 80), ("unigram", 295)])
def test_our_own_tokenizer(kind, size):
    seen = ["a man rides a bike <unk>", "größer ▁ ▅ ậ </s> <0x41>", "מִּ 한국어 ½ﬁ…"] * 3
    tokenizer = Tokenizer.train(seen, size, kind, kind == "unigram")
    graph = graph_tokenizer(tokenizer, f"own_{kind}")
    hidden = [
        "a\u00a0man\t\u3000rides\u200b\ufeff",
        "\u200b",
        "a\0b \x01",
        "",
        "\u2028",
    ]
    lines = [*seen, *hidden, *LINES]
    lines += [unicodedata.normalize("NFD", line) for line in lines]
    rows = graph.tokenize(tf.constant(lines))
    assert rows.to_list() == tokenizer.encode(lines)
    texts = [text.decode() for text in graph.detokenize(rows).numpy()]
    assert texts == tokenizer.decode(rows.to_list())
    assert texts[:3] == texts[len(lines) // 2 :][:3] == seen[:3]
