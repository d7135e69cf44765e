"""The four ids that mean something to the model.

This is the only place where those of our own tokenizers are written.
"""

import dataclasses

PAD = 0
UNKNOWN = 1
BEGIN = 2
END = 3
NO_TOKEN = -1  # where a vocabulary has none for it


@dataclasses.dataclass(frozen=True)
class SpecialTokens:
    """The ids of a tokenizer's special tokens.

    They are ours when absent, and its file's own when it comes with a checkpoint, which
    may have no token for padding or for what it does not know: -1 stands for none.

    Args:
        pad: fills the rows of a batch.
        unknown: stands for what the vocabulary does not have.
        begin: what the decoder starts with; Marian starts with `pad`.
        end: closes every sentence.
    """

    pad: int = PAD
    unknown: int = UNKNOWN
    begin: int = BEGIN
    end: int = END

    @property
    def fields(self):
        """The ids that a model knows, as its configuration calls them."""
        return dict(pad_id=self.pad, begin_id=self.begin, end_id=self.end)

    @property
    def never_generated(self):
        """The ids that no search generates.

        These are padding, and the begin token unless it is the end token as well.
        """
        return tuple(sorted({self.pad, self.begin} - {self.end}))
