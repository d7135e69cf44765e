"""What the files of a checkpoint of Hugging Face say about its tokenizers."""

import json
from pathlib import Path

from keras_transformer.pretrained.tokenizers.base import (
    LARGEST_VOCABULARY,
    UNUSED,
    Vocabulary,
)
from keras_transformer.text.special_tokens import SpecialTokens
from keras_transformer.text.tokenizer import LARGEST_MODEL

NAMES = {
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "sep": "</s>",
    "pad": "<pad>",
    "cls": "<s>",
    "mask": "<mask>",
}
SAID_IN = "in tokenizer_config.json"


def read_limited(path):
    """The content of a checkpoint's file.

    Raises:
        ValueError: if it cannot be read, or is too large.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_MODEL:
            raise ValueError(
                f"it must have at most {LARGEST_MODEL:,} bytes; received {size:,}"
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{str(path)!r} cannot be used: {reason}") from None


def read_json(path, kind=dict):
    """The content of a checkpoint's JSON file.

    Raises:
        ValueError: if it cannot be read, is too large, or not of the type `kind`.
    """
    content = read_limited(path)
    try:
        return checked("the content", json.loads(content.decode("utf-8")), kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


def checked(name, value, kind):
    """The value, if it is of the type `kind`.

    Raises:
        ValueError: if it is of another type.
    """
    if type(value) is not kind:
        raise ValueError(
            f"{name} must be a {kind.__name__}; received {str(value)[:60]}"
        )
    return value


class TokenizerFiles:
    """The folder of a checkpoint, and what its JSON files say of special tokens.

    Args:
        folder: the checkpoint's folder; tokenizer_config.json and
            special_tokens_map.json in it are read, but either may be absent.
        config: the content of its config.json.

    Attributes:
        added: the special tokens that tokenizer_config.json gives an id, by that id.

    Raises:
        ValueError: if one of them cannot be read, or has special tokens that cannot be
            kept.
    """

    def __init__(self, folder, config):
        self.folder = Path(folder)
        self.config = config
        self._said = self._optional("tokenizer_config.json")
        numbered = self.get("added_tokens_decoder", dict)
        if numbered is None:
            self._said |= self._optional("special_tokens_map.json")
        self._numbered = numbered or {}
        self.added = {
            number: content_of("added_tokens_decoder", token)
            for number, token in self._numbered.items()
        }

    def _optional(self, name):
        path = self.folder / name
        return read_json(path) if path.exists() else {}

    def read(self, name):
        """The content of another file of the folder."""
        return read_limited(self.folder / name)

    def get(self, name, kind, default=None):
        """What is said under a name; `default` if nothing or null is."""
        found = self._said.get(name)
        return default if found is None else checked(f"{name} {SAID_IN}", found, kind)

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
            for token in checked(f"{name} {SAID_IN}", tokens, list):
                found.append(content_of(name, token))
        return list(dict.fromkeys([*found, *self.added.values()]))

    def marks(self, names):
        """All special tokens, each once."""
        return list(dict.fromkeys([*names.values(), *self.listed()]))

    def is_normalised(self, name, default):
        """Whether a special token is looked for only in normalised text."""
        normalised = default
        for token in (*self._said.values(), *self._numbered.values()):
            if isinstance(token, dict) and token.get("content") == name:
                normalised = token.get("normalized", normalised)
        return bool(normalised)

    def size(self, name):
        """A number of tokens that config.json gives."""
        size = self.config.get(name)
        if type(size) is not int or not 0 < size <= LARGEST_VOCABULARY:
            raise ValueError(
                f"{name} must be between 1 and {LARGEST_VOCABULARY:,} in config.json; "
                f"received {size!r}"
            )
        return size

    def pieces(self, name, size=None):
        """The pieces of a file like vocab.json, by id.

        Args:
            name: the file's.
            size: number of tokens of the model; the file's own when absent. An id that
                the file does not have gets a piece that no text spells.
        """
        numbers = read_json(self.folder / name)
        size = len(numbers) if size is None else size
        found = {}
        for piece, number in numbers.items():
            if type(number) is not int or not 0 <= number < size:
                raise ValueError(
                    f"{name} must have ids between 0 and {size - 1}; "
                    f"received {piece[:40]!r}: {number}"
                )
            if number in found:
                raise ValueError(
                    f"{name} must give each piece an id of its own; "
                    f"received {number} twice"
                )
            found[number] = piece
        return [found.get(number, UNUSED.format(number)) for number in range(size)]

    def with_added(self, pieces, size):
        """As many pieces as the model has tokens.

        Args:
            pieces: the vocabulary.
            size: number of tokens of the model. A piece more is one that has an id in
                tokenizer_config.json alone, or none that a text spells.
        """
        if len(pieces) > size:
            raise ValueError(
                f"vocab_size must be at least the tokenizer's {len(pieces)} tokens; "
                f"received {size}"
            )
        known = set(pieces)
        more = [UNUSED.format(number) for number in range(len(pieces), size)]
        pieces = [*pieces, *more]
        for number, token in self.added.items():
            place = int(number) if number.isdecimal() else size
            found = pieces[place] if place < size else None
            if found == UNUSED.format(place) and token not in known:
                pieces[place] = token
            elif found != token:
                raise ValueError(
                    f"added_tokens_decoder must agree with the vocabulary's {size:,} "
                    f"pieces; received {token[:40]!r} at {number[:20]}"
                )
        return pieces

    def special(self, pieces, names, begin, end="eos"):
        """The `SpecialTokens` of a vocabulary.

        Args:
            pieces: the vocabulary.
            names: the special tokens by key.
            begin: key of what the decoder starts with, unless config.json gives its id.
            end: key of what closes a sentence.
        """
        pad, unknown, usual, end = (
            index_of(names[key], pieces) for key in ("pad", "unk", begin, end)
        )
        for name, number in (("pad_token_id", pad), ("eos_token_id", end)):
            said = self.config.get(name)
            if said not in (None, number):
                raise ValueError(
                    f"{name} must be {number} as in the vocabulary; received {said!r}"
                )
        start = self.config.get("decoder_start_token_id")
        return SpecialTokens(pad, unknown, usual if start is None else start, end)

    def vocabulary(self, pieces, names, begin, end="eos", **fields):
        """The `Vocabulary` of one side; arguments are as for `special`."""
        special = self.special(pieces, names, begin, end)
        marks = self.marks(names)
        return Vocabulary(pieces, special, marks, source_suffix=[special.end], **fields)

    def refuse(self, **languages):
        """Raise a `ValueError` if a language is given: the model has no token of it."""
        for name, code in languages.items():
            if code is not None:
                raise ValueError(
                    f"{name} must be absent for this {self.config['model_type']} "
                    f"model, which has no token for it; received {code!r}"
                )


def content_of(name, token):
    """The text of a special token, which may come with flags."""
    flags = []
    content = token
    if isinstance(token, dict):
        content = token.get("content")
        flags = [f for f in ("single_word", "lstrip", "rstrip") if token.get(f)]
    checked(f"{name} {SAID_IN}", content, str)
    is_mask = content == NAMES["mask"]  # which takes the spaces before it with it
    if flags and not (is_mask and flags == ["lstrip"]):
        raise ValueError(
            f"{name} must have no {', '.join(flags)}; received {content[:40]!r} with it"
        )
    return content


def index_of(piece, pieces):
    """The id of a piece."""
    if piece not in pieces:
        raise ValueError(
            f"the vocabulary must have the token {piece!r}; "
            f"received {len(pieces)} others"
        )
    return pieces.index(piece)


def language_id(name, code, codes):
    """The id of a language's code."""
    if code not in codes:
        some = ", ".join(list(codes)[:6])
        raise ValueError(
            f"{name} must be one of the model's {len(codes)} languages, such as "
            f"{some}; received {code!r}"
        )
    return codes[code]
