"""The search that a configuration asks for."""

from .beam_search import BeamSearch
from .sampling import Sampling


def chosen_search(config, step, **options):
    """The `Search` of a `DecodingConfig`; `step` and options are those of `Search`."""
    options["no_repeat_ngram"] = config.no_repeat_ngram
    if config.search == "sampling":
        return Sampling(
            step,
            config.n_best,
            temperature=config.temperature,
            top_k=config.top_k,
            top_p=config.top_p,
            **options,
        )
    return BeamSearch(
        step,
        beam=1 if config.search == "greedy" else config.beam,
        length_penalty=config.length_penalty,
        penalty=config.penalty,
        **options,
    )
