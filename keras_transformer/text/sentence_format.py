"""What stands around the ids of a sentence when a model reads or writes it."""

import dataclasses

from ..config import expect
from .special_tokens import END, SpecialTokens


@dataclasses.dataclass(frozen=True)
class SentenceFormat:
    """The ids before and after the text of source and target.

        source   source_prefix, text, source_suffix
        target   begin, target_prefix, text, end

    They are those of our own tokenizers when absent. The decoder reads the target
    without `end`, and its labels are the target without `begin`. The target prefix is
    given, such as the code of a language to translate into: no search chooses it, no
    score has it.

    Examples:
        >>> SentenceFormat(source_prefix=(7,)).source([5, 6])
        [7, 5, 6, 3]
        >>> SentenceFormat(target_prefix=(8,)).labels([5, 6])
        [8, 5, 6, 3]
    """

    special: SpecialTokens = SpecialTokens()
    source_prefix: tuple[int, ...] = ()
    source_suffix: tuple[int, ...] = (END,)
    target_prefix: tuple[int, ...] = ()

    @classmethod
    def of(cls, source_tokenizer, target_tokenizer=None):
        """The format that two tokenizers ask for; one serves both sides when alone."""
        target = target_tokenizer or source_tokenizer
        for tokenizer in (source_tokenizer, target):
            is_one = hasattr(tokenizer, "special")
            expect(is_one, "tokenizer", "be a Tokenizer", type(tokenizer).__name__)
        prefix = tuple(source_tokenizer.source_prefix)
        suffix = tuple(source_tokenizer.source_suffix)
        return cls(target.special, prefix, suffix, tuple(target.target_prefix))

    @property
    def around_source(self):
        """How many ids stand around a source text."""
        return len(self.source_prefix) + len(self.source_suffix)

    @property
    def around_labels(self):
        """How many ids stand around a target text, `begin` not counted."""
        return len(self.target_prefix) + 1

    def source(self, ids, longest=None):
        """What the encoder reads of a text, which is cut to `longest` ids in all."""
        if longest is not None:
            ids = ids[: max(0, longest - self.around_source)]
        return [*self.source_prefix, *ids, *self.source_suffix]

    def text(self, source):
        """The ids of the text in what the encoder reads."""
        return source[len(self.source_prefix) : len(source) - len(self.source_suffix)]

    def labels(self, ids):
        """What the decoder is to write for the ids of a text."""
        return [*self.target_prefix, *ids, self.special.end]

    def target(self, labels):
        """What the decoder reads when it is to write these labels."""
        return [self.special.begin, *labels[:-1]]
