"""BLEU while the model trains."""

import keras

from keras_transformer.decoding.translator import Translator
from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.evaluation.scores import corpus_scores


class BleuCallback(keras.callbacks.Callback):
    """After every epoch, translate held-out sentences; put `val_bleu` and `val_chrf` into the logs and show a few.

    Put it before callbacks that read `val_bleu`.

    Args:
        sources, references: lists of strings.
        source_tokenizer, target_tokenizer: the model's `Tokenizer`s; one if they are
            the same.
        decoding: a `DecodingConfig`; the default's beam search when absent.
        samples: how many translations to print.
        distribution: the `Distribution` of the model; its processes share the
            sentences.

    Example:
        model.fit(batches, callbacks=[BleuCallback(valid_source, valid_target,
        tokenizer)])
    """

    def __init__(
        self,
        sources,
        references,
        source_tokenizer,
        target_tokenizer=None,
        decoding=None,
        samples=3,
        distribution=ONE_DEVICE,
    ):
        super().__init__()
        self.sources, self.references, self.samples = (
            list(sources),
            list(references),
            samples,
        )
        self.tokenizers, self.decoding = (source_tokenizer, target_tokenizer), decoding
        self.translator, self.distribution = None, distribution

    def measure(self):
        """Translate with the model as it is now, show the samples, and give the `Scores`."""
        model, process, processes = (
            self.distribution.local(self.model),
            *self.distribution.shard[:2],
        )
        with self.distribution.undistributed():
            if self.translator is None:
                self.translator = Translator(model, *self.tokenizers, self.decoding)
            share = self.translator(self.sources[process::processes])
        translations = [""] * len(self.sources)
        for number, found in enumerate(self.distribution.gather(share)):
            translations[number::processes] = found
        scores = corpus_scores(translations, self.references)
        if process:
            return scores
        print(
            f"\nBLEU {scores.bleu:.2f}, chrF {scores.chrf:.2f} on {len(translations)} held-out sentences"
        )
        for source, translation in list(zip(self.sources, translations))[
            : self.samples
        ]:
            print(f"  {source}\n  -> {translation}")
        return scores

    def on_epoch_end(self, epoch, logs=None):
        scores = self.measure()
        if logs is not None:
            logs["val_bleu"], logs["val_chrf"] = scores.bleu, scores.chrf
