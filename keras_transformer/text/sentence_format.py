"""What stands around the ids of a sentence when a model reads or writes it."""

import dataclasses

from keras_transformer.text.special_tokens import BEGIN, END, PAD, never_generated


@dataclasses.dataclass(frozen=True)
class SentenceFormat:
    """The ids before and after the text, of source and target; as our own tokenizers have them when absent.

        source   source_prefix, text, source_suffix
        target   begin, target_prefix, text, end          fed to the decoder without `end`, as labels without `begin`

    The target prefix is given, such as the code of a language to translate into: no
    search chooses it, no score has it.

    Example:
        >>> SentenceFormat(source_prefix=(7,), target_prefix=(8,)).source([5, 6]), SentenceFormat(target_prefix=(8,)).labels([5, 6])
        ([7, 5, 6, 3], [8, 5, 6, 3])
    """

    pad: int = PAD
    begin: int = BEGIN
    end: int = END
    source_prefix: tuple[int, ...] = ()
    source_suffix: tuple[int, ...] = (END,)
    target_prefix: tuple[int, ...] = ()

    @classmethod
    def of(cls, source_tokenizer, target_tokenizer=None):
        """The sentence_format that two tokenizers ask for; the same one for both sides when one is absent."""
        target_tokenizer = target_tokenizer or source_tokenizer
        special = target_tokenizer.special
        source = (
            tuple(source_tokenizer.source_prefix),
            tuple(source_tokenizer.source_suffix),
        )
        return cls(
            special.pad,
            special.begin,
            special.end,
            *source,
            tuple(target_tokenizer.target_prefix),
        )

    @property
    def never(self):
        """The ids that no search generates."""
        return never_generated(self.pad, self.begin, self.end)

    @property
    def around_source(self):
        """How many ids stand around a source text."""
        return len(self.source_prefix) + len(self.source_suffix)

    @property
    def around_labels(self):
        """How many ids stand around a target text, `begin` not counted."""
        return len(self.target_prefix) + 1

    def source(self, ids, longest=None):
        """What the encoder reads of the ids of a text, which is cut to be at most `longest` ids in all."""
        ids = ids if longest is None else ids[: max(0, longest - self.around_source)]
        return [*self.source_prefix, *ids, *self.source_suffix]

    def labels(self, ids):
        """What the decoder is to write for the ids of a text."""
        return [*self.target_prefix, *ids, self.end]

    def target(self, labels):
        """What the decoder reads when it is to write these labels."""
        return [self.begin, *labels[:-1]]
