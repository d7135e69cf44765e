"""The search that a configuration asks for."""

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
    if config.search == "sampling":
        return Sampling(
            step,
            config.n_best,
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
