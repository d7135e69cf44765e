"""Translating with CTranslate2: neither Keras nor a backend of it is imported."""

import collections
import dataclasses
import operator
import os
from pathlib import Path

from ..config import DecodingConfig, expect
from ..decoding.base_translator import BaseTranslator
from ..process.bars import advance
from ..process.extras import needed
from ..runs.run import read_tokenizers
from ..runs.sealed_files import Manifest, reading, similar
from .export_directory import check_search

# Finished hypotheses, in beams, after which the search of a sentence stops. Translator
# stops when nothing better can come: of 1,000 sentences 15 were translated otherwise
# with 1 (CTranslate2's own choice), 2 with 1.5, none from 2 on.
PATIENCE = 4.0

score_of = operator.attrgetter("score")


class CTranslate2Translator(BaseTranslator):
    """A `Translator` for what `export.ctranslate2` wrote: no prefixes, no sampling.

    The search of a sentence goes on until `4 * beam` hypotheses are finished, so as to
    find what `Translator` finds; the last ones of an n-best list may be others.

    Example (needs an export):
        translator = CTranslate2Translator.load("export", beam=2)
        translator("Two young girls are sitting on a bench.")
    """

    def __init__(self, folder, tokenizers, config, positions, device="auto"):
        """Read what `export.ctranslate2` wrote into a folder; `load` checks it, too.

        It computes on a GPU if there is one, else on all our processors, or on as many
        as OMP_NUM_THREADS in the environment says.
        """
        needed("ctranslate2", extra="ctranslate2")
        import ctranslate2

        super().__init__(*tokenizers, config, positions)
        threads = os.cpu_count()
        if hasattr(os, "sched_getaffinity"):
            threads = len(os.sched_getaffinity(0))
        wanted = os.environ.get("OMP_NUM_THREADS")
        if wanted:
            first = wanted.split(",")[0]
            is_count = first.isdecimal() and int(first) > 0
            expect(is_count, "OMP_NUM_THREADS", "be at least 1", wanted)
            threads = int(first)
        self._engine = ctranslate2.Translator(
            str(folder), device, inter_threads=threads, intra_threads=1
        )
        self._source, self._target = (tokenizer.pieces for tokenizer in tokenizers)
        self._target_ids = {piece: i for i, piece in enumerate(self._target)}

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
        path = Path(export) / "config.json"
        if not Path(export).exists():
            near = similar(Path(export), "export")
            raise ValueError(f"no export at '{export}'{near}")
        must = "be a directory that `keras-transformer export` wrote"
        expect(path.is_file(), "export", must, str(export))
        manifest = Manifest(export)
        manifest.verify()
        config = manifest.read_json(path.name)
        found = config.get("format")
        expect(found == "ctranslate2", "its format", "be 'ctranslate2'", found)
        with reading(path):
            search = DecodingConfig(**config["decoding"])
            positions = int(config["positions"])
        search = dataclasses.replace(search, **changes)
        check_own_search(search)
        return cls(export, read_tokenizers(export), search, positions)

    def _search(self, texts, prefixes):
        must = "be absent with CTranslate2: its scores leave them out"
        expect(prefixes is None, "prefixes", must, prefixes)
        sources = self._encode_sources(texts)
        results = self._searched(sources)
        # Were they suppressed from the start, the softmax would leave them out, and no
        # score would be Translator's.
        never = set(self.sentence_format.special.never_generated)
        again = [
            row
            for row, found in enumerate(results)
            if any(never.intersection(hypothesis.ids) for hypothesis in found)
        ]
        found = self._searched([sources[row] for row in again], suppressed=never)
        alpha = self.config.length_penalty
        for row, hypotheses in zip(again, found):
            ids = [hypothesis.ids for hypothesis in hypotheses]
            # The scores that they have when nothing is suppressed.
            log_probs = self._token_scores([sources[row]] * len(ids), ids)
            scores = [sum(own) / len(own) ** alpha for own in log_probs]
            rescored = self._hypotheses(ids, scores)
            results[row] = sorted(rescored, key=score_of, reverse=True)
        return results

    def _searched(self, sources, suppressed=()):
        """Sources in ids -> their hypotheses."""
        results = {}
        work = sum(map(len, sources))
        for row, answer in self._asked(sources, suppressed).items():
            found = answer.result()
            ids = [[self._target_ids[p] for p in pieces] for pieces in found.hypotheses]
            results[row] = self._hypotheses(ids, found.scores)
            advance(len(sources[row]) / work * len(sources))
        return [results[row] for row in range(len(sources))]

    def _asked(self, sources, suppressed):
        """CTranslate2's answers by the numbers of the sources, not waited for."""
        config = self.config
        beam = config.beam if config.search == "beam" else 1
        unwanted = [[piece] for piece in self._pieces(suppressed)]
        prefix = self._pieces(self.sentence_format.target_prefix)
        by_length = collections.defaultdict(list)
        for row, source in enumerate(sources):
            by_length[len(source)].append(row)
        # Sentences have a limit each, and CTranslate2 has one a call. Each call runs on
        # one thread: several threads within a call wait for each other more than they
        # work, with int8 ten times as long.
        answers = {}
        for length, rows in by_length.items():
            own = self._engine.translate_batch(
                self._inputs([sources[row] for row in rows]),
                target_prefix=[prefix] * len(rows) if prefix else None,
                max_decoding_length=min(length + config.extra_length, self._limit),
                max_batch_size=config.batch_size,
                beam_size=beam,
                patience=PATIENCE if beam > 1 else 1,
                num_hypotheses=config.n_best,
                length_penalty=config.length_penalty,
                suppress_sequences=unwanted or None,
                max_input_length=0,
                min_decoding_length=0,
                return_end_token=True,
                return_scores=True,
                asynchronous=True,
            )
            answers.update(zip(rows, own, strict=True))
        return answers

    def _token_scores(self, sources, labels):
        end = self.sentence_format.special.end
        inner = [ids[:-1] if ids[-1] == end else ids for ids in labels]
        found = self._engine.score_batch(
            self._inputs(sources),
            [self._pieces(ids) for ids in inner],
            max_input_length=0,
            max_batch_size=self.config.batch_size,
        )
        # It scores an end token as well, which a hypothesis that was cut at its limit
        # does not have.
        given = len(self.sentence_format.target_prefix)
        return [
            [0.0] * given + result.log_probs[given : len(ids)]
            for result, ids in zip(found, labels, strict=True)
        ]

    def _inputs(self, sources):
        """The pieces of sources, without the end token that CTranslate2 adds."""
        if adds_end(self.sentence_format):
            sources = [ids[:-1] for ids in sources]
        return [[self._source[number] for number in ids] for ids in sources]

    def _pieces(self, ids):
        """The pieces of target ids."""
        return [self._target[number] for number in ids]


def adds_end(sentence_format):
    """Whether CTranslate2 is to put the end token behind sources."""
    return sentence_format.source_suffix[-1:] == (sentence_format.special.end,)


def check_own_search(search):
    """Raise a `ValueError` if CTranslate2 has no such search."""
    check_search(search, "CTranslate2")
    ngram = search.no_repeat_ngram
    must = "be 0 with CTranslate2, whose scores leave out what may not come"
    expect(not ngram, "no_repeat_ngram", must, ngram)
    is_right = search.penalty == "power" or not search.length_penalty
    must = "be 'power' with CTranslate2, which has no other"
    expect(is_right, "penalty", must, search.penalty)
