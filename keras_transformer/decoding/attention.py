"""What a model looks at for a sentence and its translation; word alignments from it."""

import dataclasses
import itertools
import unicodedata

import numpy as np
from keras import ops

from ..layers.masks import padding_mask
from .ensemble import check_is_one

UNKNOWN_TEXT = "\u2047"  # how SentencePiece decodes it


@dataclasses.dataclass(frozen=True)
class AttentionWeights:
    """The attention weights of a sentence and its translation, for pictures.

    Row t of the decoder's arrays is the step that reads `input_tokens[t]` and writes
    `target_tokens[t]`.

    Attributes:
        source_tokens: S pieces, as the encoder reads them, END the last.
        input_tokens: T pieces, BEGIN the first.
        target_tokens: T pieces, those to write, END the last, unless a `Hypothesis`
            was ended by its limit.
        encoder: `(layers, N, S, S)`, the last two axes query and key.
        decoder: `(layers, N, T, T)`.
        cross: `(layers, N, T, S)`.
    """

    source_tokens: tuple[str, ...]
    input_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    encoder: np.ndarray
    decoder: np.ndarray
    cross: np.ndarray


def weights_of(model, source_ids, target_ids):
    """What every layer and head looks at in one pass over `(B, S)` and `(B, T)` ids.

    Returns:
        the float32 weights `(layers, B, N, query, key)` of the encoder, of the decoder,
        and of the decoder's attention to the source.
    """
    check_is_one(model)
    source_mask = padding_mask(source_ids, model.config.pad_id)
    with_scores = dict(return_attention_scores=True)
    memory, encoder = model.encoder(source_ids, source_mask, **with_scores)
    _, pairs = model.decoder(target_ids, memory, source_mask, **with_scores)
    decoder, cross = zip(*pairs)
    stacks = (encoder, decoder, cross)
    return tuple(ops.cast(ops.stack(weights), "float32") for weights in stacks)


def aligning(model, source_ids, target_ids):
    """The weights `(B, T, S)` that say what each step translates.

    They are the mean over the heads of the last layer but one. Of the layers of three
    pre-norm models, one of three layers and two of four, it was the best on validation
    pairs whose alignments are known (`benchmarks.alignments`); the step after, which
    reads the token (Chen et al. 2020), was worse in every layer.

    Source: Garg et al. 2019.
    """
    _, _, cross = weights_of(model, source_ids, target_ids)
    return ops.mean(cross[max(0, cross.shape[0] - 2)], axis=1)


def words_of(tokenizer, ids, text):
    """The number of the word of `text` that each id belongs to.

    Words are what whitespace separates. Punctuation in a word that has letters gets
    None: attention rests on punctuation whatever is being written, and the word would
    get it.
    """
    words = text.split()
    if not words:
        return [None] * len(ids)
    by_word = tokenizer.encode(words)
    if list(itertools.chain(*by_word))[: len(ids)] == list(ids):
        numbers = [number for number, word in enumerate(by_word) for _ in word]
    else:
        # The text would be cut otherwise: a token is of the word that it ends.
        seen = tokenizer.decode([ids[: n + 1] for n in range(len(ids))])
        numbers = [max(0, min(len(part.split()), len(words)) - 1) for part in seen]
    numbers = numbers[: len(ids)]
    lettered = [has_letter(own) for own in tokenizer.decode([[n] for n in ids])]
    pairs = list(zip(numbers, lettered))
    words_with_letters = {number for number, is_lettered in pairs if is_lettered}

    def word_of(number, is_lettered):
        if number in words_with_letters and not is_lettered:
            return None
        return number

    return [word_of(number, is_lettered) for number, is_lettered in pairs]


def has_letter(text):
    """Whether the text of a token has a letter, a mark, a digit or what is no text."""
    # A part of a character, and an unknown one.
    if "\ufffd" in text or UNKNOWN_TEXT in text:
        return True
    return any(unicodedata.category(character)[0] in "LMN" for character in text)


def links(weights_TS, source_words, target_words):
    """The source word that each target word is linked to.

    Args:
        weights_TS: what each step looks at; the first writes the first target token.
        source_words, target_words: the word of each token, None if it does not count.

    Returns:
        sorted pairs `(source, target)`.
    """
    tokens = [n for n, word in enumerate(source_words) if word is not None]
    steps = [n for n, word in enumerate(target_words) if word is not None]
    if not steps or not tokens:
        return []
    sources = [source_words[n] for n in tokens]
    targets = [target_words[n] for n in steps]
    by_word = np.zeros((max(targets) + 1, max(sources) + 1))
    np.add.at(by_word, np.ix_(targets, sources), weights_TS[np.ix_(steps, tokens)])
    return sorted((int(by_word[word].argmax()), word) for word in set(targets))
