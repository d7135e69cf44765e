"""Our beam search as a KerasHub sampler."""

import keras
from keras import ops
from keras_hub.samplers import Sampler

from ..config import DecodingConfig
from ..decoding.beam_search import beam_search
from ..decoding.translation_search import cache_lengths


@keras.saving.register_keras_serializable("keras_transformer")
class TransformerBeamSampler(Sampler):
    """The paper's beam search, for `TransformerSeq2SeqLM`.

    Unlike `keras_hub.samplers.BeamSampler` it charges nothing to a hypothesis that has
    ended, so that a translation does not depend on its batch mates, and it divides by a
    length penalty. A language to translate into is given, and costs nothing.

    Args:
        num_beams: hypotheses kept; 1 is greedy search.
        length_penalty: exponent of the penalty, 0 for none.
        penalty: `"gnmt"` or `"power"`.
        extra_length: most tokens beyond the source's.

    Raises:
        ValueError: if an argument is out of its range.

    Example (needs a preset):
        lm = keras_hub.models.Seq2SeqLM.from_preset("preset")
        lm.compile(sampler=TransformerBeamSampler(num_beams=1))
        lm.generate(["a man rides a bike"])

    Source: Vaswani et al. 2017, section 6.1; Wu et al. 2016, section 7.
    """

    def __init__(
        self, num_beams=4, length_penalty=0.6, penalty="gnmt", extra_length=50
    ):
        super().__init__()
        self.num_beams = num_beams
        self.length_penalty = length_penalty
        self.penalty = penalty
        self.extra_length = extra_length
        self._config()

    def _config(self):
        return DecodingConfig(
            beam=self.num_beams,
            length_penalty=self.length_penalty,
            penalty=self.penalty,
            extra_length=self.extra_length,
        )

    def __call__(
        self,
        next,
        prompt,
        cache=None,
        index=0,
        mask=None,
        stop_token_ids=None,
        hidden_states=None,
        model=None,
    ):
        special = model.backbone.config.special
        length = prompt.shape[1]
        source_mask = cache["source_mask"]
        lengths = cache_lengths(source_mask.shape[1], self._config(), length - 1)
        limits = ops.sum(ops.cast(source_mask, "int32"), axis=1)
        is_filled = limits > 0
        longest = ops.minimum(limits + self.extra_length, length - 1)
        limits = ops.where(is_filled, longest, 0)
        prefix = ops.where(mask, prompt, special.pad)[:, 1:]
        rows = ops.shape(prompt)[0]

        # What only a hypothesis has moves with it; what a sentence has stays.
        def step(last, own, index):
            # `next` reads the token before the index that it is given.
            last = ops.repeat(last, length, axis=1)
            logits, _, moved = next(last, {**cache, "decoder": own}, index + 1)
            return ops.expand_dims(logits, 1), moved["decoder"]

        tokens, _ = beam_search(
            step,
            model.backbone.decoder.empty_cache(rows, lengths[0]),
            limits,
            lengths,
            prefix,
            free_prefix=model.free_prefix,
            beam=self.num_beams,
            length_penalty=self.length_penalty,
            penalty=self.penalty,
            special=special,
        )
        rest = length - 1 - lengths[-1]
        best = ops.pad(tokens[:, 0], [[0, 0], [0, rest]], constant_values=special.pad)
        return ops.concatenate([prompt[:, :1], ops.cast(best, prompt.dtype)], axis=1)

    def get_config(self):
        names = ("num_beams", "length_penalty", "penalty", "extra_length")
        return {name: getattr(self, name) for name in names}
