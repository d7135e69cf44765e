"""What the files of a checkpoint of Hugging Face say about its tokenizers."""

import json
from pathlib import Path

from ...config import expect
from ...runs.sealed_files import read_regular, reading
from ...text.special_tokens import SpecialTokens
from ...text.tokenizer import LARGEST_MODEL
from .base import LARGEST_VOCABULARY, UNUSED, Vocabulary, check_id, checked

ADDED = "added_tokens.json"
DECODER = "added_tokens_decoder"
MASK = "<mask>"
NAMES = {
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "sep": "</s>",
    "pad": "<pad>",
    "cls": "<s>",
    "mask": MASK,
}


def read_limited(path):
    """The content of a checkpoint's file, unless it is too large to be one."""
    with reading(path):
        return read_regular(path, LARGEST_MODEL)


def read_large_json(path, kind=dict):
    """The content of a checkpoint's JSON file, if it is of the type `kind`."""
    content = read_limited(path)
    with reading(path):
        return checked("the content", json.loads(content.decode("utf-8-sig")), kind)


class TokenizerFiles:
    """The folder of a checkpoint, and what its JSON files say of special tokens.

    tokenizer_config.json, special_tokens_map.json and added_tokens.json are read, but
    each may be absent. All methods raise a `ValueError` about what cannot be kept.

    Attributes:
        languages: the codes of the languages that are asked for, or None, by name.
        added: the special tokens that these files give an id, by that id.
    """

    def __init__(self, folder, config, source_lang=None, target_lang=None):
        self.folder = Path(folder)
        self.config = config
        self.languages = {"source_lang": source_lang, "target_lang": target_lang}
        self._said = {}
        for name in ("special_tokens_map.json", "tokenizer_config.json"):
            if (self.folder / name).exists():
                self._said |= read_large_json(self.folder / name)
        self.added = self._added()

    def _added(self):
        """The tokens by id; added_tokens.json counts where no other file has them."""
        found = {}
        for number, token in self._decoder().items():
            expect(number.isdecimal(), DECODER, "have ids", number[:20])
            found[int(number)] = content_of(DECODER, token)
        if DECODER in self._said or not (self.folder / ADDED).exists():
            return found
        for token, number in read_large_json(self.folder / ADDED).items():
            is_own = found.setdefault(checked(ADDED, number, int), token) == token
            expect(is_own, ADDED, "give each piece an id of its own", number)
        return found

    def _decoder(self):
        return self.get(DECODER, dict) or {}

    @property
    def mask_takes_spaces(self):
        """Whether the mask takes the spaces before it with it."""
        tokens = [self._said.get("mask_token"), *self._decoder().values()]
        masks = [t for t in tokens if isinstance(t, dict) and t.get("content") == MASK]
        return any(token.get("lstrip") for token in masks)

    def check_languages(self, *known):
        """Raise a `ValueError` if a language is given that is not of these names."""
        family = self.config["model_type"]
        for name, code in self.languages.items():
            is_right = code is None or name in known
            expect(is_right, name, f"be absent for {family}", code)

    def get(self, name, kind):
        """What is said under a name; None if nothing is."""
        found = self._said.get(name)
        return found if found is None else checked(name, found, kind)

    def names(self, *needed):
        """The special tokens by key ("eos"): those needed, and others that are said."""
        found = {}
        for key, usual in NAMES.items():
            said = self._said.get(f"{key}_token")
            if said or key in needed:
                token = usual if said is None else said
                found[key] = content_of(f"{key}_token", token)
        return found

    def listed(self):
        """The special tokens that have no key of their own."""
        found = []
        for name in ("additional_special_tokens", "extra_special_tokens"):
            tokens = self._said.get(name) or []
            if isinstance(tokens, dict):
                tokens = list(tokens.values())
            for token in checked(name, tokens, list):
                found.append(content_of(name, token))
        return list(dict.fromkeys([*found, *self.added.values()]))

    def size(self, name):
        """A number of tokens that config.json gives."""
        size = self.config.get(name)
        is_size = type(size) is int and 0 < size <= LARGEST_VOCABULARY
        must = f"be between 1 and {LARGEST_VOCABULARY:,} in config.json"
        expect(is_size, name, must, size)
        return size

    def pieces(self, name, numbers, size, added):
        """The pieces of a vocabulary of a model's size, by id.

        `name` is the file that they are from, and `numbers` has their ids; `added` must
        agree with it. An id that nothing has gets a piece that no text spells.
        """
        found = {}
        further = [(piece, number) for number, piece in added.items()]
        for piece, number in [*numbers.items(), *further]:
            check_id(name, number, size)
            is_own = found.setdefault(number, piece) == piece
            expect(is_own, name, "give each piece an id of its own", number)
        return [found.get(number, UNUSED.format(number)) for number in range(size)]

    def vocabulary(
        self, pieces, names, begin, end="eos", marks=(), absent=(), **fields
    ):
        """The `Vocabulary` of one side, whose special tokens have these `names` by key.

        `begin` and `end` are the keys of what the decoder starts with, unless
        config.json gives its id, and of what closes a sentence. `marks` are further
        special tokens, and `absent` those that the model has no row for.
        """
        ids = []
        for key in ("pad", "unk", begin, end):
            token = names[key]
            expect(token in pieces, "the vocabulary", f"have {token!r}", "none")
            ids.append(pieces.index(token))
        pad, unknown, start, end = ids
        for name, number in (("pad_token_id", pad), ("eos_token_id", end)):
            said = self.config.get(name)
            must = f"be {number} as in the vocabulary"
            expect(said in (None, number), name, must, said)
        said = self.config.get("decoder_start_token_id")
        special = SpecialTokens(pad, unknown, start if said is None else said, end)
        marks = dict.fromkeys([*names.values(), *self.listed(), *marks])
        marks = [mark for mark in marks if mark not in absent]
        return Vocabulary(pieces, special, marks, source_suffix=[end], **fields)


def content_of(name, token):
    """The text of a special token, which may come with flags."""
    flags = []
    content = token
    if isinstance(token, dict):
        content = token.get("content")
        flags = [f for f in ("single_word", "lstrip", "rstrip") if token.get(f)]
    checked(name, content, str)
    if content == MASK:  # which takes the spaces before it with it
        flags = [flag for flag in flags if flag != "lstrip"]
    expect(not flags, name, f"have no {', '.join(flags)}", content[:40])
    return content
