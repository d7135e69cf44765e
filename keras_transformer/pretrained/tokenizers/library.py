"""Tokenizers of checkpoints that the library `tokenizers` makes and runs."""

import json

import numpy as np

from ...config import expect, refused
from ...process.extras import needed
from ...runs.sealed_files import reading
from ...text.lines import checked_texts
from ...text.tokenizer import processor
from .base import CheckpointTokenizer, checked
from .files import TokenizerFiles, read_large_json, read_limited
from .multilingual import MultilingualTokenizer

CONTENT = "tokenizer.json"
WORDS = "vocab.txt"
MERGES = "merges.txt"
SENTINEL = "<extra_id_{}>"
SENTINELS = 100  # of T5, unless its files say another number
BERT_KEYS = ("unk", "sep", "cls", "pad", "mask")
# What BERT's tokenizer_config.json calls the settings of its normalizer.
LETTERS = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "tokenize_chinese_chars",
}


class LibraryTokenizer(CheckpointTokenizer):
    """Both sides of a checkpoint, as its `tokenizer.json` says, such as BART's."""

    kind = "tokenizers"
    needs = (CONTENT,)
    skips_special = False  # those that the library knows

    def __init__(self, vocabulary, models, **options):
        super().__init__(vocabulary, models, **options)
        self._tokenizer = tokenizer_of(models[CONTENT])

    def encode(self, lines):
        texts = [*checked_texts(lines, "lines")]
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [self._with_rows(row.ids) for row in found]

    def _with_rows(self, ids):
        """The ids, with the unknown token's for those that the model has no row of."""
        unknown = self.special.unknown
        return [number if number < self.vocab_size else unknown for number in ids]

    def _decode_ids(self, ids):
        return self._tokenizer.decode(ids, skip_special_tokens=self.skips_special)


class EncoderTokenizer:
    """Texts, or pairs of texts, as the inputs of an encoder's model.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
        config: the `EncoderConfig` of the model.

    Call arguments:
        texts: a list of strings.
        others: the second text of each pair, such as the context of a question.

    Returns:
        a dictionary of `token_ids (B, S)`, cut to the model's positions, and
        `token_types` where the model reads them; int32.

    Raises:
        ValueError: if texts are no strings or none, or there are not as many others.
    """

    def __init__(self, tokenizer, config):
        self.tokenizer = tokenizer
        self.config = config
        tokenizer.enable_truncation(config.longest)
        tokenizer.enable_padding(pad_id=config.pad_id)

    def __call__(self, texts, others=None):
        texts = [*checked_texts(texts, "texts")]
        expect(texts, "texts", "hold at least one text", "none")
        given = texts
        if others is not None:
            others = [*checked_texts(others, "others")]
            number = len(texts)
            must = f"be as many as texts, {number}"
            expect(len(others) == number, "others", must, len(others))
            given = [*zip(texts, others)]
        found = self.tokenizer.encode_batch(given)
        batch = {"token_ids": np.array([row.ids for row in found], "int32")}
        if self.config.token_types > 1:
            types = [row.type_ids for row in found]
            batch["token_types"] = np.array(types, "int32")
        return batch


def tokenizer_of(content):
    """The `tokenizers.Tokenizer` of a `tokenizer.json`, which neither cuts nor pads."""
    needed("tokenizers", extra="pretrained")
    import tokenizers

    with reading(CONTENT, Exception):  # the library has no kind of its own
        found = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
    found.no_truncation()
    found.no_padding()
    return found


def content_in(folder):
    """The `tokenizer.json` of a folder, made of older files if need be, or None."""
    for name, read in READERS.items():
        if (folder / name).exists():
            needed("tokenizers", extra="pretrained")
            with reading(name, Exception):
                return read(folder)
    return None


def read_content(folder):
    """The file's content, with what tokenizer_config.json says of BERT's letters.

    As in `transformers`, which also may or may not obey it, by version and class, where
    it says otherwise of the space before a text: that is refused.
    """
    content = read_limited(folder / CONTENT)
    files = TokenizerFiles(folder, {})
    with reading(CONTENT):
        found = checked("the content", json.loads(content), dict)
        normalizer = found.get("normalizer") or {}
        splitter = found.get("pre_tokenizer") or {}
        splitters = splitter.get("pretokenizers", [splitter])
        spaces = [one.get("add_prefix_space") for one in splitters]
    said = files.get("add_prefix_space", bool)
    for space in spaces:
        agrees = None in (said, space) or said == space
        expect(agrees, "add_prefix_space", f"be {space} as in {CONTENT}", said)
    if normalizer.get("type") != "BertNormalizer":
        return content
    for name, theirs in LETTERS.items():
        value = files.get(theirs, bool)
        if value is not None:
            normalizer[name] = value
    return json.dumps(found).encode("utf-8")


def read_words(folder):
    """BERT's words and their parts, one a line."""
    from tokenizers.implementations import BertWordPieceTokenizer

    files = TokenizerFiles(folder, {})
    said = files.names()
    names = {f"{key}_token": said[key] for key in BERT_KEYS if key in said}
    pieces = read_limited(folder / WORDS).decode("utf-8").splitlines()
    numbers = {piece: number for number, piece in enumerate(pieces)}
    found = BertWordPieceTokenizer(
        numbers,
        lowercase=files.get("do_lower_case", bool) is not False,
        strip_accents=files.get("strip_accents", bool),
        handle_chinese_chars=files.get("tokenize_chinese_chars", bool) is not False,
        **names,
    )
    return checked_content(found, files)


def read_bytes(folder):
    """RoBERTa's and BART's byte-level pairs."""
    from tokenizers import AddedToken
    from tokenizers.implementations import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing

    files = TokenizerFiles(folder, {})
    numbers = read_large_json(folder / "vocab.json")
    lines = read_limited(folder / MERGES).decode("utf-8").splitlines()
    pairs = [
        tuple(line.split(" ")) for line in lines if not line.startswith("#version")
    ]
    begins_word = files.get("add_prefix_space", bool) is True
    found = ByteLevelBPETokenizer(numbers, pairs, add_prefix_space=begins_word)
    special = files.names("bos", "eos", "unk", "sep", "pad", "cls", "mask")
    for key, token in special.items():
        takes_spaces = key == "mask" and files.mask_takes_spaces
        token = AddedToken(token, normalized=False, special=True, lstrip=takes_spaces)
        found.add_special_tokens([token])
    ends = [(special[key], numbers[special[key]]) for key in ("sep", "cls")]
    found.post_processor = RobertaProcessing(*ends, add_prefix_space=begins_word)
    return checked_content(found, files)


def checked_content(library, files):
    """The content of a `tokenizer.json`, if it has the special tokens of the files."""
    content = library.to_str().encode("utf-8")
    check_added(tokenizer_of(content), files)
    return content


def check_added(library, files):
    """Raise a `ValueError` if files name special tokens that the library has not."""
    found = library.get_added_tokens_decoder()
    numbers = {token.content: number for number, token in found.items()}
    said = {token: number for number, token in files.added.items()}
    for token in files.listed():
        number = numbers.get(token)
        is_known = number is not None and number == said.get(token, number)
        must = f"have the special token {token[:40]!r} with its id"
        expect(is_known, "the tokenizer", must, number)


READERS = {CONTENT: read_content, WORDS: read_words, MERGES: read_bytes}


def read_encoder_tokenizer(folder, config):
    """The `EncoderTokenizer` of a checkpoint's folder; None without files of one."""
    content = content_in(folder)
    if content is None:
        return None
    library = tokenizer_of(content)
    check_added(library, TokenizerFiles(folder, {}))
    return EncoderTokenizer(library, config)


def read_bart(files):
    """The tokenizer of a BART checkpoint, for source and target."""
    return library_tokenizer(files, files.names("bos", "eos", "unk", "pad"))


def read_t5(files):
    """The tokenizer of a T5 checkpoint, for source and target."""
    names = files.names("eos", "unk", "pad")
    path = files.folder / "spiece.model"
    if not path.exists():
        return library_tokenizer(files, names, "pad")
    files.check_languages()
    model = read_limited(path)
    learnt = processor(model, path.name)
    size = learnt.vocab_size()
    numbers = {learnt.id_to_piece(number): number for number in range(size)}
    further = files.get("extra_ids", int)
    further = SENTINELS if further is None else further
    for number in range(further):
        numbers[SENTINEL.format(number)] = size + further - 1 - number
    total = files.size("vocab_size")
    pieces = files.pieces(path.name, numbers, total, files.added)
    marks = [SENTINEL.format(number) for number in range(further)]
    vocabulary = files.vocabulary(pieces, names, "pad", marks=marks)
    return MultilingualTokenizer(vocabulary, {"text.spm": model})


def library_tokenizer(files, names, begin="eos"):
    """The `LibraryTokenizer` of a checkpoint without languages.

    The model may have no row for a special token, as facebook/bart-large-cnn has none
    for its mask: text that spells it is unknown then.
    """
    files.check_languages()
    content = content_in(files.folder)
    expect(content is not None, "source", f"hold one of {[*READERS]}", files.folder)
    found = tokenizer_of(content)
    check_added(found, files)
    size = files.size("vocab_size")
    special = special_tokens_of(found)
    absent = {token for token, number in special.items() if number >= size}
    vocab = found.get_vocab().items()
    numbers = {piece: number for piece, number in vocab if piece not in absent}
    pieces = files.pieces(CONTENT, numbers, size, {})
    prefix, suffix = around_text(found)
    vocabulary = files.vocabulary(
        pieces,
        names,
        begin,
        marks=special,
        absent=absent,
        source_prefix=prefix,
        target_prefix=prefix,
    )
    end = vocabulary.special.end
    must = f"put {names['eos']!r} after a text"
    expect(suffix == [end], CONTENT, must, suffix)
    return LibraryTokenizer(vocabulary, {CONTENT: content})


def special_tokens_of(library):
    """The ids of a library's special tokens."""
    found = library.get_added_tokens_decoder()
    return {token.content: number for number, token in found.items() if token.special}


def around_text(library):
    """The ids that a library puts before each text, and those after it."""
    plain = library.encode("a", add_special_tokens=False).ids
    whole = library.encode("a").ids
    for first in range(len(whole) + 1):
        last = first + len(plain)
        if whole[first:last] == plain:
            return whole[:first], whole[last:]
    raise refused(CONTENT, "hold the ids of a text between others", whole)
