"""Pairs of texts as what the backbone takes."""

import dataclasses

import keras
from keras_hub.layers import StartEndPacker
from keras_hub.models import Seq2SeqLMPreprocessor

from ..config import expect, one_of
from ..decoding.batching import padded_width
from ..text.sentence_format import SentenceFormat
from .backbone import TransformerBackbone
from .tokenizer import TransformerTokenizer, as_texts

SIDES = ("source_lang", "target_lang")


@keras.saving.register_keras_serializable("keras_transformer")
class TransformerSeq2SeqLMPreprocessor(Seq2SeqLMPreprocessor):
    """Texts to ids for training and translation, each in its `SentenceFormat`.

    Longer texts are cut. When translating, rows are as wide as the longest text needs,
    in steps; a text without words has a mask of nothing, and an empty translation.

    Args:
        tokenizer: the `TransformerTokenizer` of the target language.
        source_tokenizer: that of the source language; the same one when absent.
        encoder_sequence_length: most source tokens, those around the text included.
        decoder_sequence_length: most target tokens, the begin token included.

    Call arguments:
        x: a dictionary of `"encoder_text"` and `"decoder_text"`; for translation a text
            alone will do, or a prefix as the decoder's, and, with a multilingual
            checkpoint, `"source_lang"` and `"target_lang"` for all of them.

    Example (needs a preset):
        preprocessor = TransformerSeq2SeqLMPreprocessor.from_preset("preset")
        preprocessor({"encoder_text": ["a man"], "decoder_text": ["ein Mann"]})
    """

    backbone_cls = TransformerBackbone
    tokenizer_cls = TransformerTokenizer

    def __init__(
        self,
        tokenizer,
        source_tokenizer=None,
        encoder_sequence_length=256,
        decoder_sequence_length=307,
        **kwargs,
    ):
        super().__init__(
            tokenizer, encoder_sequence_length, decoder_sequence_length, **kwargs
        )
        self.source_tokenizer = source_tokenizer
        self.built = True

    @property
    def reader(self):
        """The tokenizer of the source language."""
        return self.source_tokenizer or self.tokenizer

    def build(self, input_shape=None):
        self.built = True

    def call(
        self,
        x,
        y=None,
        sample_weight=None,
        *,
        encoder_sequence_length=None,
        decoder_sequence_length=None,
        sequence_length=None,
    ):
        form = self.sentence_format()
        width = encoder_sequence_length or self.encoder_sequence_length
        length = decoder_sequence_length or sequence_length
        length = length or self.decoder_sequence_length
        source = self.reader(x["encoder_text"])
        inputs = packed_source(form, source, width)
        target = self.tokenizer(x["decoder_text"])
        ids, mask = packed_target(form, target, length + 1, add_end_value=True)
        inputs["decoder_token_ids"] = ids[..., :-1]
        inputs["decoder_padding_mask"] = mask[..., :-1]
        weights = mask[..., 1:]
        return keras.utils.pack_x_y_sample_weight(inputs, ids[..., 1:], weights)

    def generate_preprocess(
        self,
        x,
        *,
        encoder_sequence_length=None,
        decoder_sequence_length=None,
        sequence_length=None,
    ):
        x = x if isinstance(x, dict) else {"encoder_text": x}
        source_text = x["encoder_text"]
        target_text = x.get("decoder_text")
        if target_text is None:
            target_text = self._empty_decoder_text(source_text)
        chosen = {side: language_in(x, side) for side in SIDES}
        form = self.sentence_format(**chosen)
        width = encoder_sequence_length or self.encoder_sequence_length
        length = decoder_sequence_length or sequence_length
        length = length or self.decoder_sequence_length
        source = self.reader(source_text)
        if isinstance(source, list) and source and isinstance(source[0], list):
            longest = max(map(len, source)) + form.around_source
            width = padded_width(min(longest, width), width)
        inputs = packed_source(form, source, width)
        is_filled = self.reader.is_filled(source_text, source)
        mask = inputs["encoder_padding_mask"]
        if len(mask.shape) == 2:
            is_filled = is_filled[:, None]
        inputs["encoder_padding_mask"] = mask & is_filled
        prefix = self.tokenizer(target_text)
        self.tokenizer.check_spelled("decoder_text", target_text, prefix)
        ids, mask = packed_target(form, prefix, length, add_end_value=False)
        inputs["decoder_token_ids"] = ids
        inputs["decoder_padding_mask"] = mask
        return inputs

    def generate_postprocess(self, x):
        """The texts of ids; nothing of it needs TensorFlow."""
        ids = keras.ops.convert_to_numpy(x["decoder_token_ids"])
        mask = keras.ops.convert_to_numpy(x["decoder_padding_mask"])
        rows = [row[own] for row, own in zip(ids, mask.astype("bool"))]
        return self.tokenizer.detokenize(rows)

    def sentence_format(self, source_lang=None, target_lang=None):
        """The `SentenceFormat`, with other languages than those of the import.

        Raises:
            ValueError: if the tokenizer knows no such language, or the language is the
                begin token, as mBART's, and another one.
        """
        source = self.reader.own
        target = self.tokenizer.own
        form = SentenceFormat.of(source, target)
        if source_lang is not None:
            language_id("source_lang", source_lang, source)
            form = dataclasses.replace(
                form,
                source_prefix=source.in_language(form.source_prefix, source_lang),
                source_suffix=source.in_language(form.source_suffix, source_lang),
            )
        if target_lang is not None:
            wanted = language_id("target_lang", target_lang, target)
            must = "be the language of the import, whose id begins every translation"
            can_change = bool(form.target_prefix) or wanted == form.special.begin
            expect(can_change, "target_lang", must, target_lang)
            prefix = target.in_language(form.target_prefix, target_lang)
            form = dataclasses.replace(form, target_prefix=prefix)
        return form

    def get_config(self):
        config = super().get_config()
        config["encoder_sequence_length"] = self.encoder_sequence_length
        config["decoder_sequence_length"] = self.decoder_sequence_length
        source = self.source_tokenizer
        config["source_tokenizer"] = source and keras.layers.serialize(source)
        return config

    @classmethod
    def from_config(cls, config):
        source = config.get("source_tokenizer")
        if isinstance(source, dict):
            source = keras.layers.deserialize(source)
        return super().from_config({**config, "source_tokenizer": source})


def packed_source(form, ids, width):
    packer = StartEndPacker(
        width,
        list(form.source_prefix),
        list(form.source_suffix),
        form.special.pad,
        return_padding_mask=True,
    )
    ids, mask = packer(ids)
    return {"encoder_token_ids": ids, "encoder_padding_mask": mask}


def packed_target(form, ids, length, add_end_value):
    begin = [form.special.begin, *form.target_prefix]
    packer = StartEndPacker(
        length, begin, form.special.end, form.special.pad, return_padding_mask=True
    )
    return packer(ids, add_end_value=add_end_value)


def language_in(x, side):
    """The one language that a dictionary names for all its texts, or None."""
    if x.get(side) is None:
        return None
    found, _ = as_texts(x[side])
    expect(len(set(found)) == 1, side, "be one language for all texts", found)
    return found[0]


def language_id(side, language, tokenizer):
    """The id of a language of a multilingual tokenizer."""
    has_choice = tokenizer.kind == "multilingual"
    expect(has_choice, side, "be absent without languages to choose", language)
    codes = tokenizer.language_ids
    return codes[one_of(side, language, codes)]
