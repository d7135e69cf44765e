"""What the files of a checkpoint of Hugging Face say about its tokenizers."""

import json
from pathlib import Path

from keras_transformer.pretrained.tokenizers.base import LARGEST_VOCABULARY
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
# The piece of a row of the model that no token has: with its space no text spells it.
UNUSED = "<unused {}>"
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


def read_json(path, kind):
    """The content of a checkpoint's JSON file.

    Raises:
        ValueError: if it cannot be read, is too large, or not of the type `kind`.
    """
    content = read_limited(path)
    try:
        found = json.loads(content.decode("utf-8"))
        if type(found) is not kind:
            raise ValueError(
                f"it must hold a {kind.__name__}; received a {type(found).__name__}"
            )
        return found
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


class TokenizerFiles:
    """The folder of a checkpoint, and what its JSON files say of special tokens.

    Args:
        folder: the checkpoint's folder; tokenizer_config.json and
            special_tokens_map.json in it are read, but either may be absent.
        config: the content of its config.json.

    Raises:
        ValueError: if one of them cannot be read, or has special tokens that cannot be
            kept.
    """

    def __init__(self, folder, config):
        self.folder = Path(folder)
        self.config = config
        self._said = self._read("tokenizer_config.json")
        numbered = self.get("added_tokens_decoder", dict)
        if numbered is None:
            self._said |= self._read("special_tokens_map.json")
        self._numbered = numbered or {}
        self._added = {
            number: content_of("added_tokens_decoder", token)
            for number, token in self._numbered.items()
        }

    def _read(self, name):
        path = self.folder / name
        return read_json(path, dict) if path.exists() else {}

    def get(self, name, kind, default=None):
        """What is said under a name; `default` if nothing or null is.

        Raises:
            ValueError: if it is of another type than `kind`.
        """
        found = self._said.get(name)
        if found is None:
            return default
        if type(found) is not kind:
            raise ValueError(
                f"{name} must be a {kind.__name__} {SAID_IN}; "
                f"received {str(found)[:60]}"
            )
        return found

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
            if not isinstance(tokens, (list, dict)):
                raise ValueError(
                    f"{name} must be a list {SAID_IN}; received {str(tokens)[:60]}"
                )
            if isinstance(tokens, dict):
                tokens = tokens.values()
            found += [content_of(name, token) for token in tokens]
        return list(dict.fromkeys([*found, *self._added.values()]))

    def has_id(self, token):
        """Whether tokenizer_config.json gives a special token an id."""
        return token in self._added.values()

    def marks(self, names):
        """All special tokens, each once."""
        return list(dict.fromkeys([*names.values(), *self.listed()]))

    def is_normalised(self, key, default):
        """Whether a special token is looked for only in normalised text."""
        name = self.names(key)[key]
        normalised = default
        for token in (self._said.get(f"{key}_token"), *self._numbered.values()):
            if isinstance(token, dict) and token["content"] == name:
                normalised = token.get("normalized", normalised)
        return bool(normalised)

    def size(self, name):
        """A number of tokens that config.json gives.

        Raises:
            ValueError: if it is missing or out of bounds.
        """
        size = self.config.get(name)
        if type(size) is not int or not 0 < size <= LARGEST_VOCABULARY:
            raise ValueError(
                f"{name} must be between 1 and {LARGEST_VOCABULARY:,} in config.json; "
                f"received {size!r}"
            )
        return size

    def with_added(self, pieces):
        """The pieces, and those that have an id in tokenizer_config.json alone.

        Raises:
            ValueError: if an id lies outside the vocabulary or stands for another
                piece.
        """
        pieces = list(pieces)
        known = set(pieces)
        for number, token in self._added.items():
            place = int(number) if number.isdecimal() else len(pieces)
            found = pieces[place] if place < len(pieces) else None
            if found == UNUSED.format(place) and token not in known:
                pieces[place] = token
            elif found != token:
                raise ValueError(
                    "added_tokens_decoder must agree with the vocabulary's "
                    f"{len(pieces):,} pieces; "
                    f"received {token[:40]!r} at {number[:20]}"
                )
        return pieces

    def special(self, pieces, names, begin, end="eos"):
        """The `SpecialTokens` of a vocabulary.

        Args:
            pieces: the vocabulary.
            names: the special tokens by key.
            begin: key of what the decoder starts with, unless config.json gives its id.
            end: key of what closes a sentence.

        Raises:
            ValueError: if config.json and the vocabulary disagree.
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
    if not isinstance(content, str):
        raise ValueError(
            f"{name} must be a string {SAID_IN}; received {str(token)[:60]}"
        )
    is_mask = content == NAMES["mask"]  # which takes the spaces before it with it
    if flags and not (is_mask and flags == ["lstrip"]):
        raise ValueError(
            f"{name} must have no {', '.join(flags)}; received {content[:40]!r} with it"
        )
    return content


def read_pieces(path, size=None):
    """The pieces of a file like vocab.json, by id.

    Args:
        path: the file.
        size: number of tokens of the model; the file's own when absent. An id that the
            file does not have gets a piece that no text spells.

    Raises:
        ValueError: if it is no such file, two pieces have one id, or an id is not the
            model's.
    """
    numbers = read_json(path, dict)
    size = len(numbers) if size is None else size
    for piece, number in numbers.items():
        if type(number) is not int or not 0 <= number < size:
            raise ValueError(
                f"{str(path)!r} must have ids between 0 and {size - 1}; "
                f"received {piece[:40]!r}: {number}"
            )
    found = {number: piece for piece, number in numbers.items()}
    twice = len(numbers) - len(found)
    if twice:
        raise ValueError(
            f"{str(path)!r} must give each piece an id of its own; "
            f"received {twice} twice"
        )
    return [found.get(number, UNUSED.format(number)) for number in range(size)]


def unused(pieces):
    """The ids that no token has."""
    return [n for n, piece in enumerate(pieces) if piece == UNUSED.format(n)]


def index_of(piece, pieces):
    """The id of a piece.

    Raises:
        ValueError: if the vocabulary does not have it.
    """
    if piece not in pieces:
        raise ValueError(
            f"the vocabulary must have the token {piece!r}; "
            f"received {len(pieces)} others"
        )
    return pieces.index(piece)


def language_id(name, code, codes):
    """The id of a language's code.

    Raises:
        ValueError: if the model does not have the language that the argument names.
    """
    if code not in codes:
        some = ", ".join(list(codes)[:6])
        raise ValueError(
            f"{name} must be one of the model's {len(codes)} languages, such as "
            f"{some}; received {code!r}"
        )
    return codes[code]
