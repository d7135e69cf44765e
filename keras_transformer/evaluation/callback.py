"""BLEU while the model trains."""

import keras

from ..decoding.base_translator import must_be_as_many
from ..decoding.translator import Translator
from ..distribution.distribution import ONE_DEVICE
from ..process.bars import doing, say
from ..text.lines import checked_texts
from .scores import chosen_tokenize, corpus_scores

SAMPLES = 3  # translations to print


class BleuCallback(keras.callbacks.Callback):
    """After every epoch, translate held-out sentences and score the translations.

    Puts `val_bleu` and `val_chrf` into the logs, and prints a few translations. Put it
    before callbacks that read `val_bleu`.

    Args:
        sources, references: strings, equally many.
        *options: what `Translator` takes after the model: source tokenizer, target
            tokenizer (the same when absent), `DecodingConfig`.
        distribution: the `Distribution` of the model; its processes share the
            sentences.
        bleu_tokenize: how BLEU cuts text, see `corpus_scores`; on standard error stands
            what "auto" chooses if not 13a.

    Raises:
        ValueError: if there are not as many references as sources, something is no
            string, or BLEU cannot cut text so.

    Examples:
        bleu = BleuCallback(valid_source, valid_target, tokenizer)
        model.fit(batches, callbacks=[bleu])
    """

    def __init__(
        self,
        sources,
        references,
        *options,
        distribution=ONE_DEVICE,
        bleu_tokenize="auto",
    ):
        super().__init__()
        self.sources = list(checked_texts(sources, "sources"))
        self.references = list(checked_texts(references, "references"))
        must_be_as_many(self.references, self.sources, "references", "sources")
        self.bleu_tokenize = chosen_tokenize(bleu_tokenize, self.references)
        self.options = options
        self.distribution = distribution
        self.translator = None
        self.scores = None  # the newest

    def set_model(self, model):
        if model is not self.model:
            self.translator = None  # that of another one
        super().set_model(model)

    def measure(self):
        """Translate with the model as it is now, print samples, give the `Scores`."""
        process, processes, _ = self.distribution.shard
        with self.distribution.local(self.model) as model:
            if self.translator is None:
                self.translator = Translator(model, *self.options)
            share = self.sources[process::processes]
            what = "translating held-out sentences"
            with doing(what, len(share), "sentences", shown=process == 0):
                share = self.translator(share)
        translations = [""] * len(self.sources)
        for number, found in enumerate(self.distribution.gather(share)):
            translations[number::processes] = found
        scores = corpus_scores(translations, self.references, self.bleu_tokenize)
        self.scores = scores
        if process == 0:
            numbers = f"BLEU {scores.bleu:.2f}, chrF {scores.chrf:.2f}"
            say(f"\n{numbers} on {len(translations)} held-out sentences")
            for source, translation in zip(self.sources[:SAMPLES], translations):
                say(f"  {source}", f"  -> {translation}")
        return scores

    def on_epoch_end(self, epoch, logs):
        scores = self.measure()
        logs["val_bleu"] = scores.bleu
        logs["val_chrf"] = scores.chrf
