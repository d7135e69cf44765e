"""BPE-dropout: the same sentences in other tokens.

SentencePiece has it as well, but there a seed gives other tokens in each process, and a
training that is resumed must see the same ones.
"""

import itertools
import random
import re

WORD = re.compile("\u2581?[^\u2581]+|\u2581")
BYTE = re.compile("<0x[0-9A-F]{2}>")


class BpeDropout:
    """Cuts sentences into tokens as BPE does, but leaves out merges by chance.

    Before each merge of a word, each of those that are possible is left out with a
    probability. A sentence with an unknown character, or one that is spelled as bytes,
    stays as it is.

    Args:
        tokenizer: a `Tokenizer` of BPE.
        dropout: the probability that a merge is left out.

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> usual = tokenizer.encode(["ab"])
        >>> pieces = BpeDropout(tokenizer, 1.0)(usual, seed=1)
        >>> [tokenizer.pieces[number] for number in pieces[0]]
        ['\u2581', 'a', 'b']

    Source: Provilkov et al. 2020, algorithm 1.
    """

    def __init__(self, tokenizer, dropout):
        self.dropout = dropout
        self.pieces = tokenizer.pieces
        # The earlier a merge was learnt, the lower is the id of what it gives.
        self.numbers = {piece: number for number, piece in enumerate(self.pieces)}
        found = enumerate(self.pieces)
        self.fixed = {number for number, piece in found if BYTE.fullmatch(piece)}
        self.fixed.add(tokenizer.special.unknown)

    def __call__(self, sentences, seed):
        """Lists of ids for lists of ids.

        Args:
            sentences: their usual ids, as `Tokenizer.encode` gives them.
            seed: of the chance; a number or a string.
        """
        draw = random.Random(seed).random
        return [self.cut(ids, draw) for ids in sentences]

    def cut(self, ids, draw):
        """The ids of a sentence; `draw` gives numbers between 0 and 1."""
        ids = [int(number) for number in ids]
        if not self.fixed.isdisjoint(ids):
            return ids
        text = "".join([self.pieces[number] for number in ids])
        found = []
        for word in WORD.findall(text):
            found += [self.numbers[piece] for piece in self.merged(word, draw)]
        return found

    def merged(self, word, draw):
        """The pieces of a word."""
        pieces = list(word)
        while True:
            merges = []
            for place, (left, right) in enumerate(itertools.pairwise(pieces)):
                rank = self.numbers.get(left + right)
                if rank is not None and draw() >= self.dropout:
                    merges.append((rank, place))
            if not merges:
                return pieces
            _, place = min(merges)
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
