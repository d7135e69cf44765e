"""BLEU while the model trains."""

import keras

from keras_transformer.decoding import Translator
from keras_transformer.evaluation.scores import corpus_scores


class BleuCallback(keras.callbacks.Callback):
    """After every epoch, translate held-out sentences; put `val_bleu` and `val_chrf` into the logs and show a few.

    Put it before callbacks that read `val_bleu`.

    Args:
        sources, references: lists of strings.
        source_tokenizer, target_tokenizer: the model's `Tokenizer`s; one if they are the same.
        decoding: a `DecodingConfig`; the default's beam search when absent.
        samples: how many translations to print.

    Example:
        model.fit(batches, callbacks=[BleuCallback(valid_source, valid_target, tokenizer)])
    """

    def __init__(self, sources, references, source_tokenizer, target_tokenizer=None, decoding=None, samples=3):
        super().__init__()
        self.sources, self.references, self.samples = list(sources), list(references), samples
        self.tokenizers, self.decoding = (source_tokenizer, target_tokenizer), decoding
        self.translator = None

    def measure(self):
        """Translate with the model as it is now, show the samples, and give the `Scores`."""
        if self.translator is None:
            self.translator = Translator(self.model, *self.tokenizers, self.decoding)
        translations = self.translator(self.sources)
        scores = corpus_scores(translations, self.references)
        print(f"\nBLEU {scores.bleu:.2f}, chrF {scores.chrf:.2f} on {len(translations)} held-out sentences")
        for source, translation in list(zip(self.sources, translations))[: self.samples]:
            print(f"  {source}\n  -> {translation}")
        return scores

    def on_epoch_end(self, epoch, logs=None):
        scores = self.measure()
        if logs is not None:
            logs["val_bleu"], logs["val_chrf"] = scores.bleu, scores.chrf
