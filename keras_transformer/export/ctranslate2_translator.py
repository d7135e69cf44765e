"""Translating with CTranslate2: neither Keras nor a backend of it is imported."""

import dataclasses
import os

from keras_transformer.decoding.base_translator import BaseTranslator
from keras_transformer.export.export_directory import read_search
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import read_tokenizers

# Finished hypotheses, in beams, after which the search of a sentence stops. Translator
# stops when nothing better can come: of 1,000 sentences 15 were translated otherwise
# with 1 (CTranslate2's own choice), 2 with 1.5, none from 2 on.
PATIENCE = 4.0


class CTranslate2Translator(BaseTranslator):
    """A `Translator` for exports of `export.ctranslate2`: the same methods, but no prefixes and no sampling.

    The search of a sentence goes on until `4 * beam` hypotheses are finished, so as to
    find what `Translator` finds; the last ones of an n-best list may be others.

    Example (needs an export):
        translator = CTranslate2Translator.load("export", beam=2)
        translator("Two young girls are sitting on a bench.")
    """

    def __init__(self, translator, tokenizers, config, positions):
        super().__init__(*tokenizers, config, positions)
        self._translator = translator
        self._source_pieces, self._target_pieces = (
            tokenizer.pieces for tokenizer in tokenizers
        )
        self._ids = {piece: number for number, piece in enumerate(self._target_pieces)}
        self._ends = self.sentence_format.source_suffix[-1:] == (
            self.sentence_format.end,
        )

    @classmethod
    def load(cls, export, **changes):
        """The translator of an export.

        Args:
            export: directory that `export.ctranslate2` wrote.
            **changes: fields of `DecodingConfig` that replace the export's.

        Raises:
            ValueError: if it is no such export, a file is not what was written, or
                CTranslate2 has no such search.
            ImportError: if CTranslate2 is not installed.
        """
        search, positions = read_search(export, "ctranslate2")
        search = dataclasses.replace(search, **changes)
        cls.check_search(search)
        return cls.open(export, read_tokenizers(export), search, positions)

    @classmethod
    def open(cls, folder, tokenizers, config, positions, device="auto"):
        """The translator of a folder that CTranslate2 reads, on a GPU if there is one, else on all our processors.

        OMP_NUM_THREADS in the environment says on how many, if it is there.
        """
        needed("ctranslate2", extra="ctranslate2")
        import ctranslate2

        processors = (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count()
        )
        threads = int(
            (os.environ.get("OMP_NUM_THREADS") or str(processors)).split(",")[0]
        )
        threads = {"inter_threads": threads, "intra_threads": 1}
        return cls(
            ctranslate2.Translator(str(folder), device=device, **threads),
            tokenizers,
            config,
            positions,
        )

    @staticmethod
    def check_search(config):
        """Raise a `ValueError` if CTranslate2 does not search like that."""
        if config.search == "sampling":
            raise ValueError(
                "search must be 'beam' or 'greedy' with CTranslate2; received 'sampling'"
            )
        if config.penalty != "power" and config.length_penalty:
            raise ValueError(
                f"penalty must be 'power' with CTranslate2, which has no other; received {config.penalty!r}"
            )

    def _token_scores(self, sources, labels):
        return self._log_probs([self._pieces(ids) for ids in sources], labels)

    def _search(self, texts, prefixes):
        if prefixes is not None:
            raise ValueError(
                "prefixes must be absent with CTranslate2: its scores leave them out"
            )
        sources = [self._pieces(ids) for ids in self._encode_sources(texts)]
        results, never = self._searched(sources), self.sentence_format.never
        # Were they suppressed from the start, the softmax would leave them out, and no
        # score would be Translator's.
        wrong = [
            row
            for row, found in enumerate(results)
            if any({*never} & set(h.tokens) for h in found)
        ]
        for row, found in zip(
            wrong, self._searched([sources[row] for row in wrong], suppressed=never)
        ):
            log_probs = self._log_probs(
                [sources[row]] * len(found), [hypothesis.tokens for hypothesis in found]
            )
            scores = [
                sum(p) / len(h.tokens) ** self.config.length_penalty
                for p, h in zip(log_probs, found)
            ]
            found = self._hypotheses(
                [hypothesis.tokens for hypothesis in found], scores
            )
            results[row] = sorted(found, key=lambda hypothesis: -hypothesis.score)
        return results

    def _searched(self, sources, suppressed=()):
        """Sources in pieces -> their hypotheses."""
        config, by_length, results = self.config, {}, [None] * len(sources)
        beam = config.beam if config.search == "beam" else 1
        given = [
            self._target_pieces[number] for number in self.sentence_format.target_prefix
        ]
        for row, source in enumerate(sources):
            by_length.setdefault(len(source) + self._ends, []).append(row)
        # Their own limit each, and CTranslate2 has one a call. The calls run side by
        # side, on one thread each: several threads within a call wait for each other
        # more than they work, with int8 ten times as long.
        calls = [
            self._translator.translate_batch(
                [sources[row] for row in rows],
                target_prefix=[given] * len(rows) if given else None,
                max_batch_size=config.batch_size,
                beam_size=beam,
                patience=PATIENCE if beam > 1 else 1,
                num_hypotheses=config.n_best,
                length_penalty=config.length_penalty,
                max_input_length=0,
                max_decoding_length=min(length + config.extra_length, self._limit),
                min_decoding_length=0,
                suppress_sequences=[
                    [self._target_pieces[number]] for number in suppressed
                ]
                or None,
                return_end_token=True,
                return_scores=True,
                asynchronous=True,
            )
            for length, rows in by_length.items()
        ]
        for rows, answers in zip(by_length.values(), calls, strict=True):
            for row, answer in zip(rows, answers, strict=True):
                found = answer.result()
                tokens = [
                    [self._ids[piece] for piece in pieces]
                    for pieces in found.hypotheses
                ]
                results[row] = self._hypotheses(tokens, found.scores)
        return results

    def _log_probs(self, sources, targets):
        """Sources in pieces and target ids -> the log-probabilities of each target's ids, 0 for a target prefix."""
        inner = [
            ids[:-1] if ids[-1] == self.sentence_format.end else ids for ids in targets
        ]
        pieces = [[self._target_pieces[number] for number in ids] for ids in inner]
        found = self._translator.score_batch(
            sources, pieces, max_input_length=0, max_batch_size=self.config.batch_size
        )
        # It scores an end token as well, which a hypothesis that was cut at its limit
        # does not have.
        given = len(self.sentence_format.target_prefix)
        return [
            [0.0] * given + result.log_probs[given : len(ids)]
            for result, ids in zip(found, targets, strict=True)
        ]

    def _pieces(self, ids):
        """The pieces of a source; without an end token at its end, which CTranslate2 adds then."""
        return [
            self._source_pieces[number] for number in (ids[:-1] if self._ends else ids)
        ]
