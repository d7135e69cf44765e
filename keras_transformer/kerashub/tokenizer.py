"""A run's tokenizer as KerasHub's."""

from pathlib import Path

import keras
import keras_hub
import numpy as np

from ..config import expect
from ..pretrained.tokenizers.load import load_folder
from ..pretrained.tokenizers.marian import MarianTokenizer
from ..pretrained.tokenizers.multilingual import MultilingualTokenizer
from ..text.normalization import BLANK, has_text
from ..text.tokenizer import Tokenizer
from .backbone import TransformerBackbone

MODEL = "tokenizer.model"
# By name, because files of a hub are fetched by name.
ASSETS = {"sentencepiece": [MODEL]}
for known in (MarianTokenizer, MultilingualTokenizer):
    ASSETS[known.kind] = [*known.needs, "kind.json", "pieces.json"]


@keras.saving.register_keras_serializable("keras_transformer")
class TransformerTokenizer(keras_hub.tokenizers.Tokenizer):
    """A `Tokenizer`, or that of an imported checkpoint, as a KerasHub layer.

    In a `tf.data` pipeline it is operations of TensorFlow; elsewhere it is the run's
    own tokenizer, which needs no TensorFlow. Both give the same ids, unless a unigram
    model has two cuts of the same score: each may choose another one then.

    Args:
        tokenizer: the tokenizer of a run; absent when its files are read later.
        kind: which files those are: `"sentencepiece"`, `"marian"`, `"multilingual"`.

    Call arguments:
        inputs: a text, or a list or tensor of texts `(B,)`.

    Returns:
        the ids of each text, without those around a sentence: lists, or a ragged
        tensor in a pipeline.

    Raises:
        ValueError: if the tokenizer is FSMT's, which no graph can be made of.

    Example (needs a preset):
        tokenizer = TransformerTokenizer.from_preset("preset")
        tokenizer.detokenize(tokenizer(["a man rides a bike"]))
    """

    backbone_cls = TransformerBackbone

    def __init__(self, tokenizer=None, kind="sentencepiece", dtype="int32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if tokenizer is not None:
            kind = tokenizer.kind
        must = "be SentencePiece's, Marian's or a multilingual one for KerasHub"
        expect(kind in ASSETS, "the tokenizer", must, kind)
        self.kind = kind
        self.file_assets = ASSETS[kind]
        self.set_tokenizer(tokenizer)

    def set_tokenizer(self, tokenizer):
        """Take a run's tokenizer, and its special ids."""
        self.own = tokenizer
        self._graph = None
        if tokenizer is not None:
            self.start_token_id = tokenizer.special.begin
            self.end_token_id = tokenizer.special.end
            self.pad_token_id = tokenizer.special.pad

    @property
    def special_token_ids(self):
        return [self.pad_token_id, self.start_token_id, self.end_token_id]

    def save_assets(self, dir_path):
        folder = Path(dir_path)
        if self.kind == "sentencepiece":
            self.own.save(folder / MODEL)
            return
        parts = folder / "parts"
        self.own.save(parts)
        for path in parts.iterdir():
            path.replace(folder / path.name)
        parts.rmdir()

    def load_assets(self, dir_path):
        if self.kind == "sentencepiece":
            self.set_tokenizer(Tokenizer.load(Path(dir_path) / MODEL))
        else:
            self.set_tokenizer(load_folder(dir_path))

    def vocabulary_size(self):
        return self.own.vocab_size

    def get_vocabulary(self):
        return list(self.own.pieces)

    def id_to_token(self, id):
        last = self.vocabulary_size() - 1
        expect(0 <= id <= last, "id", f"lie between 0 and {last}", id)
        return self.own.pieces[id]

    def token_to_id(self, token):
        pieces = self.own.pieces
        known = token in pieces
        return pieces.index(token) if known else self.own.special.unknown

    def tokenize(self, inputs):
        if not self._use_tf_workflow():
            texts, is_one = as_texts(inputs)
            ids = self.own.encode(texts)
            return ids[0] if is_one else ids
        import tensorflow as tf

        graph = self._in_graph()
        if inputs.shape.rank == 0:
            return graph.tokenize(tf.expand_dims(inputs, 0))[0]
        return graph.tokenize(inputs)

    def call(self, inputs, *args, training=None, **kwargs):
        return self.tokenize(inputs)

    def detokenize(self, inputs):
        """The text of each list of ids; special tokens are left out."""
        if self._use_tf_workflow():
            return self._in_graph().detokenize(inputs)
        if hasattr(inputs, "to_list"):  # a ragged tensor
            inputs = inputs.to_list()
        is_one = len(inputs) > 0 and np.ndim(inputs[0]) == 0
        texts = self.own.decode([inputs] if is_one else inputs)
        return texts[0] if is_one else texts

    def is_filled(self, inputs, ids):
        """Whether each text has tokens and more than white space."""
        if not self._use_tf_workflow():
            texts, is_one = as_texts(inputs)
            rows = [ids] if is_one else ids
            found = [has_text(text) and len(row) > 0 for text, row in zip(texts, rows)]
            return found[0] if is_one else np.array(found)
        import tensorflow as tf

        is_blank = tf.strings.regex_full_match(inputs, BLANK)
        counts = tf.size(ids) if inputs.shape.rank == 0 else ids.row_lengths()
        return ~is_blank & (counts > 0)

    def check_spelled(self, name, inputs, ids):
        """Refuse texts with a token that is unknown.

        Raises:
            ValueError: if a text has one; in a pipeline TensorFlow's own error.
        """
        unknown = self.own.special.unknown
        must = "be spelled by the vocabulary of the target"
        if not self._use_tf_workflow():
            texts, is_one = as_texts(inputs)
            for text, row in zip(texts, [ids] if is_one else ids):
                expect(unknown not in row, name, must, text)
            return
        import tensorflow as tf

        flat = ids if inputs.shape.rank == 0 else ids.flat_values
        is_spelled = tf.reduce_all(flat != unknown)
        tf.debugging.Assert(is_spelled, [f"{name} must {must}; received", inputs])

    def _in_graph(self):
        if self._graph is None:
            import tensorflow as tf

            from ..export.graph_tokenizer import graph_tokenizer

            # Out of the function that is traced, which would own its tables.
            with tf.init_scope():
                self._graph = graph_tokenizer(self.own, self.name)
        return self._graph

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


def as_texts(inputs):
    """A list of strings, and whether one string alone was given."""
    if hasattr(inputs, "numpy"):
        inputs = inputs.numpy()
    found = np.array(inputs, dtype=object)
    texts = found.reshape(-1).tolist()
    plain = [text.decode() if isinstance(text, bytes) else text for text in texts]
    return plain, found.ndim == 0
