"""What the JSON files beside a checkpoint's vocabulary say, in the layout of Hugging Face."""

from keras_transformer.pretrained.tokenizers.checkpoint_tokenizer import (
    read_checked_json,
)
from keras_transformer.pretrained.tokenizers.vocabulary import LARGEST_VOCABULARY
from keras_transformer.text.special_tokens import SpecialTokens

NAMES = {
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "sep": "</s>",
    "pad": "<pad>",
    "cls": "<s>",
    "mask": "<mask>",
}
# The pieces of the model's rows that no token has; with its space no text spells one.
UNUSED = "<unused {}>"


class Settings:
    """tokenizer_config.json and special_tokens_map.json, either of which may be absent.

    Args:
        folder: the checkpoint's folder.

    Raises:
        ValueError: if one of them cannot be read, or has special tokens that cannot be
            kept.
    """

    def __init__(self, folder):
        self._said = self._read(folder / "tokenizer_config.json")
        numbered = self.get("added_tokens_decoder", dict, None)
        self._numbered = {} if numbered is None else numbered
        self._added = {
            number: self._content("added_tokens_decoder", token)
            for number, token in self._numbered.items()
        }
        if numbered is None:
            self._said |= self._read(folder / "special_tokens_map.json")

    @staticmethod
    def _read(path):
        return read_checked_json(path, dict) if path.exists() else {}

    def get(self, name, kind, default):
        """What is said under a name; `default` if nothing or null is.

        Raises:
            ValueError: if it is of another type than `kind`.
        """
        found = self._said.get(name)
        if found is None:
            return default
        if type(found) is not kind:
            raise ValueError(
                f"{name} must be a {kind.__name__} in tokenizer_config.json; received {str(found)[:60]}"
            )
        return found

    def names(self, *keys):
        """The special tokens by key, such as `"eos"`: those of `keys`, and others that are said."""
        said = {key: self._said.get(f"{key}_token") for key in NAMES}
        chosen = {
            key: NAMES[key] if said[key] is None else said[key]
            for key in NAMES
            if key in keys or said[key]
        }
        return {
            key: self._content(f"{key}_token", token) for key, token in chosen.items()
        }

    def listed(self):
        """The special tokens that have no key of their own."""
        found = []
        for name in ("additional_special_tokens", "extra_special_tokens"):
            tokens = self._said.get(name) or []
            if not isinstance(tokens, (list, dict)):
                raise ValueError(
                    f"{name} must be a list in tokenizer_config.json; received {str(tokens)[:60]}"
                )
            tokens = tokens.values() if isinstance(tokens, dict) else tokens
            found += [self._content(name, token) for token in tokens]
        return list(dict.fromkeys([*found, *self._added.values()]))

    def has_id(self, token):
        """Whether tokenizer_config.json gives a special token an id."""
        return token in self._added.values()

    def marks(self, names):
        """All special tokens, each once."""
        return list(dict.fromkeys([*names.values(), *self.listed()]))

    def is_normalised(self, key, default):
        """Whether a special token is looked for only after a text's characters have been normalised."""
        tokens = [self._said.get(f"{key}_token"), *self._numbered.values()]
        name = self.names(key)[key]
        flags = [
            t["normalized"]
            for t in tokens
            if isinstance(t, dict) and t["content"] == name and "normalized" in t
        ]
        return bool(flags[-1]) if flags else default

    def with_added(self, pieces):
        """The pieces, and those that have an id in tokenizer_config.json alone.

        Raises:
            ValueError: if an id lies outside the vocabulary or stands for another
                piece.
        """
        pieces, known = list(pieces), set(pieces)
        for number, token in self._added.items():
            place = int(number) if number.isdecimal() else len(pieces)
            if (
                place < len(pieces)
                and pieces[place] == UNUSED.format(place)
                and token not in known
            ):
                pieces[place] = token
            if place >= len(pieces) or pieces[place] != token:
                raise ValueError(
                    f"added_tokens_decoder must agree with the vocabulary's {len(pieces):,} pieces; "
                    f"received {token[:40]!r} at {number[:20]}"
                )
        return pieces

    @staticmethod
    def _content(name, token):
        """The text of a special token, which may come with flags."""
        content = token.get("content") if isinstance(token, dict) else token
        if not isinstance(content, str):
            raise ValueError(
                f"{name} must be a string in tokenizer_config.json; received {str(token)[:60]}"
            )
        flags = [
            flag
            for flag in ("single_word", "lstrip", "rstrip")
            if isinstance(token, dict) and token.get(flag)
        ]
        if flags not in ([], ["lstrip"]) or flags and content != NAMES["mask"]:
            raise ValueError(
                f"{name} must have no {', '.join(flags)}; received {content[:40]!r} with it"
            )
        return content


def read_pieces(path, size=None):
    """The pieces of a file like vocab.json, by id; a piece that no text spells for each id that is missing.

    Args:
        path: the file.
        size: number of tokens of the model; the file's own when absent.

    Raises:
        ValueError: if it is no such file, two pieces have one id, or an id is not the
            model's.
    """
    numbers = read_checked_json(path, dict)
    size = len(numbers) if size is None else size
    for piece, number in numbers.items():
        if type(number) is not int or not 0 <= number < size:
            raise ValueError(
                f"{str(path)!r} must have ids between 0 and {size - 1}; received {piece[:40]!r}: {number}"
            )
    found = {number: piece for piece, number in numbers.items()}
    if len(found) < len(numbers):
        raise ValueError(
            f"{str(path)!r} must give each piece an id of its own; received {len(numbers) - len(found)} twice"
        )
    return [found.get(number, UNUSED.format(number)) for number in range(size)]


def with_unused(pieces, size):
    """As many pieces as the model has tokens.

    Raises:
        ValueError: if there are more.
    """
    if len(pieces) > size:
        raise ValueError(
            f"vocab_size must be at least the tokenizer's {len(pieces)} tokens; received {size}"
        )
    return [*pieces, *map(UNUSED.format, range(len(pieces), size))]


def unused(pieces):
    """The ids that no token has."""
    return [
        number for number, piece in enumerate(pieces) if piece == UNUSED.format(number)
    ]


def size_of(config, name):
    """A number of tokens that config.json gives.

    Raises:
        ValueError: if it is missing or out of bounds.
    """
    size = config.get(name)
    if type(size) is not int or not 0 < size <= LARGEST_VOCABULARY:
        raise ValueError(
            f"{name} must be between 1 and {LARGEST_VOCABULARY:,} in config.json; received {size!r}"
        )
    return size


def number_of(pieces, piece):
    """The id of a piece.

    Raises:
        ValueError: if the vocabulary does not have it.
    """
    try:
        return pieces.index(piece)
    except ValueError:
        raise ValueError(
            f"the vocabulary must have the token {piece!r}; received {len(pieces)} others"
        ) from None


def special_tokens(pieces, names, config, begin):
    """The `SpecialTokens` of a checkpoint.

    Args:
        pieces: the vocabulary.
        names: the special tokens by key.
        config: the content of config.json.
        begin: what the decoder starts with unless config.json says it.

    Raises:
        ValueError: if config.json and the vocabulary disagree.
    """
    found = {key: number_of(pieces, names[key]) for key in ("pad", "unk", "eos")}
    for key in ("pad", "eos"):
        said = config.get(f"{key}_token_id")
        if said not in (None, found[key]):
            raise ValueError(
                f"{key}_token_id must be {found[key]} as in the vocabulary; received {said!r}"
            )
    start = config.get("decoder_start_token_id")
    return SpecialTokens(
        found["pad"], found["unk"], begin if start is None else start, found["eos"]
    )
