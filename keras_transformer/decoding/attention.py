"""What a model looks at when it is given a sentence and its translation; word alignments from it."""

import dataclasses
import itertools
import unicodedata

import numpy as np
from keras import ops

from keras_transformer.layers.masks import padding_mask


@dataclasses.dataclass(frozen=True)
class AttentionWeights:
    """The attention weights of a sentence and its translation, for pictures: arrays `(layers, heads, query, key)`.

    Row t of the decoder's arrays is the step that reads `input_tokens[t]` and writes
    `target_tokens[t]`.
    """

    source_tokens: tuple[str, ...]  # S pieces, as the encoder reads them: END the last
    input_tokens: tuple[str, ...]  # T pieces, BEGIN the first
    target_tokens: tuple[str, ...]  # T pieces, those to write: END the last
    encoder: np.ndarray  # (layers, N, S, S)
    decoder: np.ndarray  # (layers, N, T, T)
    cross: np.ndarray  # (layers, N, T, S)


def forced(model, source_ids, target_ids):
    """One pass over source ids `(B, S)` and target ids `(B, T)`, BEGIN first: what every layer and head looks at.

    Returns:
        the float32 weights `(layers, B, N, query, key)` of the encoder, of the decoder,
        and of the decoder's attention to the source.
    """
    source_mask = padding_mask(source_ids, model.config.pad_id)
    memory, encoder = model.encoder(
        source_ids, source_mask, return_attention_scores=True
    )
    _, _, pairs = model.decoder(
        target_ids, memory, source_mask, return_attention_scores=True
    )
    return tuple(
        ops.cast(ops.stack(weights), "float32") for weights in (encoder, *zip(*pairs))
    )


def aligning(cross):
    """The weights `(B, T, S)` that say what each step translates: those of the last layer but one, mean over heads.

    Of the layers of three pre-norm models, one of three layers and two of four, it was
    the best on validation pairs whose alignments are known (`benchmarks.alignments`);
    the step after, which reads the token (Chen et al. 2020), was worse in every layer.
    Source: Garg et al. 2019.
    """
    return ops.mean(cross[max(0, cross.shape[0] - 2)], axis=1)


def words_of(tokenizer, pieces, ids, text):
    """The number of the word of `text` that each id belongs to; words are what whitespace separates.

    None for punctuation in a word that is more than that: much attention rests on
    punctuation, whatever is being written, and would be the word's. `pieces` are the
    tokenizer's.
    """
    words = text.split()
    apart = tokenizer.encode(words)
    if list(itertools.chain(*apart))[: len(ids)] == list(ids):
        numbers = [number for number, word in enumerate(apart) for _ in word][
            : len(ids)
        ]
    else:  # cut otherwise than the text would be: the word that each token is seen to end in
        seen = tokenizer.decode([ids[: n + 1] for n in range(len(ids))])
        numbers = [max(0, min(len(part.split()), len(words)) - 1) for part in seen]
    lettered = [
        any(unicodedata.category(character)[0] in "LMN" for character in pieces[i])
        for i in ids
    ]
    more = {number for number, has in zip(numbers, lettered) if has}
    return [
        number if has or number not in more else None
        for number, has in zip(numbers, lettered)
    ]


def links(weights_TS, source_words, target_words):
    """The source word that each target word is linked to, as sorted pairs `(source, target)`.

    Args:
        weights_TS: what each step looks at, the first of which writes the first target
            token.
        source_words: the word that each source token belongs to, None for one that does
            not count.
        target_words: that of each target token.
    """
    columns = [
        (token, word) for token, word in enumerate(source_words) if word is not None
    ]
    rows = [
        (token, word) for token, word in enumerate(target_words) if word is not None
    ]
    if not rows or not columns:
        return []
    (steps, targets), (tokens, sources) = zip(*rows), zip(*columns)
    by_word = np.zeros((max(targets) + 1, max(sources) + 1))
    np.add.at(by_word, np.ix_(targets, sources), weights_TS[np.ix_(steps, tokens)])
    return sorted((int(by_word[word].argmax()), word) for word in set(targets))
