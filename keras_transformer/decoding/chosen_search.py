"""The search that a configuration asks for."""

from ..config import expect
from .beam_search import BeamSearch
from .sampling import Sampling
from .terms import TermSearch


def chosen_search(config, step, places=0, is_inner=None, **options):
    """The `Search` of a `DecodingConfig`.

    Args:
        config: the `DecodingConfig`.
        step, **options: as in `Search`.
        places, is_inner: as in `TermSearch`, for a search with terms.
    """
    has_terms = is_inner is not None
    is_free = not has_terms and not options.get("first_copied")
    must = "be 0 with a glossary, or a run whose markup is copied"
    ngram = config.no_repeat_ngram
    expect(is_free or not ngram, "no_repeat_ngram", must, ngram)
    options["no_repeat_ngram"] = ngram
    if config.search == "sampling":
        return Sampling(
            step,
            config.samples,
            temperature=config.temperature,
            top_k=config.top_k,
            top_p=config.top_p,
            **options,
        )
    options |= dict(
        beam=1 if config.search == "greedy" else config.beam,
        length_penalty=config.length_penalty,
        penalty=config.penalty,
    )
    if places:
        return TermSearch(step, places=places, is_inner=is_inner, **options)
    return BeamSearch(step, **options)
