"""What a checkpoint's files say about its token ids."""

import dataclasses

from keras_transformer.text.special_tokens import SpecialTokens

LARGEST_VOCABULARY = 1 << 22  # tokens: sixteen times NLLB's
AROUND = ("source_prefix", "source_suffix", "target_prefix")  # ids around a sentence
MOST_MARKS = 1 << 12  # each is looked for at each place of a text


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The pieces of a checkpoint's vocabulary, and the ids that mean something.

    Args:
        pieces: the piece of text that each id stands for, no two the same.
        special: the ids of pad, unknown, begin and end.
        marks: pieces that a text means when it spells them, as transformers reads
            `"</s>"`; decoding leaves them out.
        hidden: further ids that decoding leaves out, such as those of languages.
        source_prefix: ids before each source sentence.
        source_suffix: ids after it.
        target_prefix: ids that each translation must begin with.

    Raises:
        ValueError: if one of them is of another type, a piece stands twice, or an id or
            mark is not in the vocabulary.

    Example:
        >>> Vocabulary(["<pad>", "</s>", "<unk>", "a"], SpecialTokens(pad=0, unknown=2, begin=0, end=1)).pieces[3]
        'a'
    """

    pieces: tuple[str, ...]
    special: SpecialTokens
    marks: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    source_prefix: tuple[int, ...] = ()
    source_suffix: tuple[int, ...] = ()
    target_prefix: tuple[int, ...] = ()

    def __post_init__(self):
        for name in ("pieces", "marks"):
            object.__setattr__(self, name, self._checked(name, str))
        size = len(self.pieces)
        if not 0 < size <= LARGEST_VOCABULARY:
            raise ValueError(
                f"pieces must be between 1 and {LARGEST_VOCABULARY:,}; received {size:,}"
            )
        ids = dict(zip(self.pieces, range(size)))
        if len(ids) < size:
            twice = next(
                piece
                for number, piece in enumerate(self.pieces)
                if ids[piece] != number
            )
            raise ValueError(
                f"pieces must differ from each other; received {twice[:40]!r} twice"
            )
        if len(self.marks) > MOST_MARKS:
            raise ValueError(
                f"marks must be at most {MOST_MARKS:,}; received {len(self.marks):,}"
            )
        for mark in self.marks:
            if not mark or mark not in ids:
                raise ValueError(
                    f"marks must be in the vocabulary; received {mark[:40]!r}"
                )
        for name in ("hidden", *AROUND):
            object.__setattr__(self, name, self._checked(name, int))
        special = [
            getattr(self.special, field.name, None)
            for field in dataclasses.fields(SpecialTokens)
        ]
        groups = {"special": special} | {
            name: getattr(self, name) for name in ("hidden", *AROUND)
        }
        for name, numbers in groups.items():
            for number in numbers:
                if type(number) is not int or not 0 <= number < size:
                    raise ValueError(
                        f"{name} must have ids between 0 and {size - 1}; received {number!r}"
                    )
        object.__setattr__(self, "ids", ids)
        object.__setattr__(
            self,
            "skipped",
            {*special, *self.hidden, *(ids[mark] for mark in self.marks)},
        )

    def _checked(self, name, kind):
        values = getattr(self, name)
        if not isinstance(values, (list, tuple)) or not all(
            type(value) is kind for value in values
        ):
            raise ValueError(
                f"{name} must be a list of {kind.__name__}; received {str(values)[:60]}"
            )
        return tuple(values)
