"""Search for the best translation.

The searches know a step function and a cache, not a model; `Translator` joins them.
A step is `step(ids (R,) int32, index () int32, cache) -> (logits (R, V), cache)`.
"""
