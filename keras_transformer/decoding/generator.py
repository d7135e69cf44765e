"""Prompts to texts, with a language model."""

import functools

import numpy as np
from keras import ops

from ..config import CausalLMConfig, DecodingConfig, expect, refused
from ..data.buckets import bucket_edges
from ..process.bars import advance
from ..text.lines import expect_list
from .base_translator import BaseTranslator, Hypothesis
from .batching import pad
from .compiled import COMPUTING, compiled
from .continuation_search import ContinuationSearch
from .log_probs import best_of, log_probs_of, seeds_of
from .parts import check_parts, check_special_ids, check_tokenizer
from .searcher import Searcher


class Generator(BaseTranslator):
    """Continues texts with a `CausalLM`.

    A text begins with its prompt, and ends where the model ends a document, at a stop
    token, or after the config's `extra_length` new tokens. It is the same whatever is
    continued with it, as in a `Translator`, whose methods this has: `stream`,
    `hypotheses`, and `score` for given continuations. The ids of a `Hypothesis` are the
    new ones, and its score is theirs.

    Args:
        model: a `CausalLM`.
        tokenizer: the `Tokenizer` of its text.
        config: a `DecodingConfig`; beam search when absent.
        stop: more tokens that end a text, as the tokenizer's `pieces` spell them.

    Raises:
        ValueError: if an argument is of another kind, the tokenizer's vocabulary or its
            special ids are not the model's, or it has no such token to stop at.

    Examples:
        >>> lines = ["a man rides a bike", "a man rides a horse"]
        >>> tokenizer = Tokenizer.train(lines, vocab_size=24)
        >>> model = CausalLM(preset("tiny", CausalLMConfig, vocab_size=24))
        >>> generator = Generator(model, tokenizer, DecodingConfig(extra_length=5))
        >>> [text[:5] for text in generator(["a man", "a bike"])]
        ['a man', 'a bik']
    """

    def __init__(self, model, tokenizer, config=None, stop=()):
        config = config or DecodingConfig()
        check_parts(model, CausalLMConfig, "be a CausalLM", config)
        check_tokenizer("tokenizer", tokenizer, model.config.vocab_size)
        check_special_ids("tokenizer", tokenizer, model.config)
        for name in ("mbr", "coverage_penalty"):
            value = getattr(config, name)
            expect(not value, name, "be absent with a language model", value)
        most = config.extra_length
        expect(most >= 1, "extra_length", "be at least 1 with a language model", most)
        super().__init__(tokenizer, tokenizer, config, model.config.longest)
        self.model = model
        self.tokenizer = tokenizer
        self.begin = tokenizer.prompt_prefix
        self._special = model.config.special
        expect_list(stop, "stop")
        known = {piece: number for number, piece in enumerate(tokenizer.pieces)}
        wrong = [piece for piece in stop if piece not in known]
        expect(not wrong, "stop", "be tokens of the vocabulary", wrong)
        chosen = [known[piece] for piece in stop]
        self.stops = (self._special.end, *tokenizer.stops, *chosen)
        task = ContinuationSearch(model, config, self.stops)
        self._search_ids = Searcher(task, model, config.batch_size)
        self._score_ids = compiled(functools.partial(log_probs_of, model), model)

    @classmethod
    def load(cls, run, config=None, stop=()):
        """The generator of a run that holds a language model."""
        from ..runs.run import Run

        return Run.open(run).generator(config, stop)

    def _with_tokens(self, texts):
        return [*range(len(texts))]  # no text at all can be continued

    def _encode_sources(self, texts, warns=True):
        most = min(self.config.max_source_length or self._limit, self._limit)
        prompts = []
        for text, ids in zip(texts, self.tokenizer.encode(texts)):
            # There is always something to read.
            prompt = [*self.begin, *ids] or [self._special.begin]
            must = f"have at most {most} tokens"
            expect(len(prompt) <= most, "a prompt", must, text)
            prompts.append(prompt)
        return prompts

    def _search(self, texts, prefixes):
        must = "be absent: a text begins with its prompt"
        expect(prefixes is None, "prefixes", must, prefixes)
        prompts = self._encode_sources(texts)
        results = [None] * len(texts)
        planned = [*self._batches([len(ids) for ids in prompts])]
        for batch, rows, width in planned:
            own = [prompts[n] for n in batch]
            arrays = self._arrays(own, [texts[n] for n in batch], rows, width)
            with COMPUTING:
                ids, scores = self._search_ids(*map(ops.convert_to_tensor, arrays))
            for row, n in enumerate(batch):
                new_ids = ids[row][:, len(prompts[n]) - 1 :]
                n_best = self.config.n_best
                best = best_of(new_ids, scores[row], n_best, self._special.pad)
                results[n] = self._continued(prompts[n], *best)
            advance(len(batch), kind=(rows, width))
        return results

    def _arrays(self, prompts, texts, rows, width):
        """What the search takes; rows that are missing have the limit 0."""
        sizes = np.ones(rows, "int32")
        limits = np.zeros(rows, "int32")
        seeds = np.zeros((rows, self.config.n_best), "int32")
        for row, (ids, text) in enumerate(zip(prompts, texts)):
            sizes[row] = len(ids)
            limits[row] = min(len(ids) - 1 + self.config.extra_length, self._limit)
            seeds[row] = seeds_of(text, self.config)
        shortest = min(map(len, prompts))
        # Few widths, since each is compiled.
        edges = [edge for edge in bucket_edges(width) if edge < shortest]
        read = max(edges, default=0)
        fillers = [width * [self._special.end]] * (rows - len(prompts))
        whole = pad([*prompts, *fillers], rows, width, self._special.pad)
        return whole[:, :read], whole, sizes, limits, seeds

    def _continued(self, prompt, ids, scores):
        texts = self.tokenizer.decode([[*prompt, *own] for own in ids])
        rows = zip(texts, map(float, scores), map(tuple, ids), strict=True)
        return [Hypothesis(*row) for row in rows]

    def _token_scores(self, sources, labels):
        scores = [()] * len(sources)
        inputs = [[*ids, *own[:-1]] for ids, own in zip(sources, labels)]
        longest = max(map(len, inputs), default=0)
        must = f"have with their prompts at most {self._limit} tokens"
        expect(longest <= self._limit, "targets", must, longest)
        for batch, rows, width in self._batches([len(ids) for ids in inputs]):
            token_ids = pad([inputs[n] for n in batch], rows, width, self._special.end)
            wanted = [[*sources[n][1:], *labels[n]] for n in batch]
            arrays = (token_ids, pad(wanted, rows, width, 0))
            with COMPUTING:
                found = self._score_ids(*map(ops.convert_to_tensor, arrays))
            for n, row in zip(batch, ops.convert_to_numpy(found)):
                first = len(sources[n]) - 1
                scores[n] = row[first : first + len(labels[n])].tolist()
        return scores

    def _check_alignments(self):
        raise refused("alignments", "be absent for a language model", True)
