"""Translation as a KerasHub task."""

import keras
import numpy as np
from keras import ops
from keras_hub.models import Seq2SeqLM
from keras_hub.samplers import ContrastiveSampler

from ..config import TrainingConfig, expect
from ..layers.masks import padding_mask
from ..models.state_kept import StateKept
from ..models.untuned import arguments_untuned
from ..training.recipe import compile_options
from .backbone import TransformerBackbone
from .preprocessor import TransformerSeq2SeqLMPreprocessor
from .py_dataset import IdDataset
from .sampler import TransformerBeamSampler
from .tokenizer import as_texts


@keras.saving.register_keras_serializable("keras_transformer")
class TransformerSeq2SeqLM(Seq2SeqLM, StateKept):
    """Translates and trains on texts, as KerasHub's other tasks do.

    Args:
        backbone: a `TransformerBackbone`.
        preprocessor: a `TransformerSeq2SeqLMPreprocessor`; none for ids in, ids out.

    Example (needs a preset):
        lm = keras_hub.models.Seq2SeqLM.from_preset("preset")
        lm.generate(["a man rides a bike"])
        lm.generate({"encoder_text": "a man", "decoder_text": "ein"})  # a prefix

    Source: Vaswani et al. 2017.
    """

    backbone_cls = TransformerBackbone
    preprocessor_cls = TransformerSeq2SeqLMPreprocessor

    def __init__(self, backbone, preprocessor=None, **kwargs):
        self.backbone = backbone
        self.preprocessor = preprocessor
        inputs = backbone.input
        super().__init__(inputs=inputs, outputs=backbone(inputs), **kwargs)

    @property
    def free_prefix(self):
        """How many tokens after the first begin every translation at no cost."""
        if self.preprocessor is None:
            return 0
        return len(self.preprocessor.sentence_format().target_prefix)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        sampler="auto",
        **kwargs,
    ):
        """Configure training and translation; the paper's recipe when absent.

        Args:
            optimizer: Adam with the paper's warm-up when "auto".
            loss: label-smoothed cross entropy when "auto".
            weighted_metrics: nats a token, perplexity and accuracy when "auto".
            sampler: a KerasHub sampler or its name; `TransformerBeamSampler` when
                "auto".
            **kwargs: those of `keras.Model.compile`.

        Raises:
            ValueError: if the sampler is contrastive, which needs hidden states.
        """
        options = compile_options(self.backbone.config, TrainingConfig())
        options["sampler"] = TransformerBeamSampler()
        given = dict(
            optimizer=optimizer,
            loss=loss,
            weighted_metrics=weighted_metrics,
            sampler=sampler,
        )
        options |= {name: one for name, one in given.items() if one != "auto"}
        super().compile(**options | kwargs)
        is_other = not isinstance(self.sampler, ContrastiveSampler)
        must = "be one that needs no hidden states"
        expect(is_other, "sampler", must, "contrastive")

    def fit(self, x=None, y=None, *, validation_data=None, **kwargs):
        """Train on texts, as `keras.Model.fit`, or on a `PyDataset` of them.

        Raises:
            ValueError: if `x` is arrays and `validation_data` a `PyDataset`.
        """
        given = (x, validation_data)
        if not any(isinstance(data, keras.utils.PyDataset) for data in given):
            return super().fit(x, y, validation_data=validation_data, **kwargs)
        x = self._of_ids(x)
        must = "be a dataset where validation_data is a PyDataset"
        expect(not isinstance(x, tuple), "x", must, type(x))
        kwargs["validation_data"] = self._of_ids(validation_data)
        return keras.Model.fit(self, **arguments_untuned("fit", (x, y), kwargs))

    def evaluate(self, x=None, y=None, **kwargs):
        """Evaluate on texts, as `keras.Model.evaluate`, or on a `PyDataset` of them."""
        is_ready = kwargs.get("_use_cached_eval_dataset", False)
        if is_ready or not isinstance(x, keras.utils.PyDataset):
            return super().evaluate(x, y, **kwargs)
        given = arguments_untuned("evaluate", (self._of_ids(x), y), kwargs)
        with self._state_given_back():
            return keras.Model.evaluate(self, **given)

    def predict(self, x=None, **kwargs):
        """Logits of texts, as `keras.Model.predict`, or of a `PyDataset` of them."""
        if not isinstance(x, keras.utils.PyDataset):
            return super().predict(x, **kwargs)
        given = arguments_untuned("predict", (self._of_ids(x),), kwargs)
        with self._state_given_back():
            return keras.Model.predict(self, **given)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Ids of texts; the decoder reads as many as its table has positions.

        Of a translation it reads one less: the last token is read by nobody.
        """
        longest = self.backbone.config.longest
        if self.preprocessor is None or longest is None:
            return super().preprocess_samples(x, y, sample_weight)
        length = min(self.preprocessor.decoder_sequence_length, longest)
        return self.preprocessor(
            x, y=y, sample_weight=sample_weight, decoder_sequence_length=length
        )

    def _of_ids(self, data):
        """What `keras.Model` takes, of texts."""
        if data is None:
            return None
        if isinstance(data, keras.utils.PyDataset):
            return IdDataset(data, self.preprocess_samples)
        if hasattr(data, "map"):
            return data.map(self.preprocess_samples)
        parts = keras.utils.unpack_x_y_sample_weight(data)
        return self.preprocess_samples(*parts)

    def generate(
        self, inputs, max_length=None, stop_token_ids="auto", strip_prompt=False
    ):
        """Translate texts, as KerasHub's `generate`, prefixes included.

        Raises:
            ValueError: if `strip_prompt` is True: KerasHub cuts the prompt off models
                without an encoder only.
        """
        must = "be False: a translation is given with its prefix"
        expect(not strip_prompt, "strip_prompt", must, strip_prompt)
        return super().generate(inputs, max_length, stop_token_ids)

    def _normalize_generate_inputs(self, inputs):
        """As KerasHub's, where the last key says whether a text alone is given."""
        if self.preprocessor is None:
            return super()._normalize_generate_inputs(inputs)
        given = inputs if isinstance(inputs, dict) else {"encoder_text": inputs}
        is_filled = np.shape(given["encoder_text"]) != (0,)
        expect(is_filled, "encoder_text", "hold at least one text", "none")
        texts, is_one = as_texts(given["encoder_text"])
        for text in texts:
            expect(isinstance(text, str), "encoder_text", "hold texts", text)
        if not isinstance(inputs, dict):
            return super()._normalize_generate_inputs(inputs)
        if inputs.get("decoder_text") is not None:
            prefixes, _ = as_texts(inputs["decoder_text"])
            is_paired = len(prefixes) == len(texts)
            must = "be one prefix for each text of encoder_text"
            expect(is_paired, "decoder_text", must, prefixes)
        given = {name: value for name, value in inputs.items() if value is not None}
        batches, _ = super()._normalize_generate_inputs(given)
        return batches, is_one

    def generate_step(self, inputs, stop_token_ids=None):
        """The ids of translations; what KerasHub compiles.

        Args:
            inputs: a dictionary of the backbone's four inputs; the decoder's ids are
                what each translation begins with.
            stop_token_ids: ids that end a translation.

        Raises:
            ValueError: if the translation may be longer than the table of positions.
        """
        inputs = keras.tree.map_structure(ops.convert_to_tensor, inputs)
        source_ids = inputs["encoder_token_ids"]
        mask = ops.cast(inputs["encoder_padding_mask"], "bool")
        prompt = inputs["decoder_token_ids"]
        prompt_mask = ops.cast(inputs["decoder_padding_mask"], "bool")
        # The last token of a translation is not read.
        positions = (prompt.shape[1] or 1) - 1
        longest = self.backbone.config.longest or positions
        must = f"be at most {longest + 1}, by the model's table of positions"
        expect(positions <= longest, "max_length", must, prompt.shape[1])
        decoder = self.backbone.decoder
        pad = self.backbone.config.pad_id
        # Of the ids: a text without words has a mask of nothing.
        seen = padding_mask(source_ids, pad)
        memory = self.backbone.encoder(source_ids, seen)
        cache = {
            "decoder": decoder.empty_cache(*ops.shape(prompt)),
            "memory": decoder.cross_cache(memory),
            "seen": seen,
            "source_mask": mask,
        }

        def next(prompt, cache, index):
            rows = ops.shape(prompt)[0]
            last = ops.slice(prompt, [0, index - 1], [rows, 1])
            logits, own = decoder.step(
                last, cache["decoder"], index - 1, cache["memory"], cache["seen"]
            )
            return ops.squeeze(logits, 1), None, {**cache, "decoder": own}

        ids = self.sampler(
            next=next,
            prompt=prompt,
            cache=cache,
            index=1,  # the prompt is read token by token
            mask=prompt_mask,
            stop_token_ids=stop_token_ids,
            model=self,
        )
        is_filled = ops.any(mask, axis=1, keepdims=True)
        is_kept = up_to_end(ids, prompt_mask, stop_token_ids or ())
        is_kept = ops.logical_and(is_kept, is_filled)
        kept = ops.where(is_kept, ids, ops.cast(pad, ids.dtype))
        return {"decoder_token_ids": kept, "decoder_padding_mask": is_kept}


def up_to_end(ids, prompt_mask, stop_token_ids):
    """True `(B, T)` up to the first token that ends a text, behind its prompt."""
    is_kept = ops.ones_like(prompt_mask)
    for token in stop_token_ids:
        ends = ops.logical_and(ids == token, ops.logical_not(prompt_mask))
        ends = ops.cast(ends, "int32")
        is_before = ops.cumsum(ends, axis=1) - ends == 0
        is_kept = ops.logical_and(is_kept, is_before)
    return is_kept
