"""Search for the best translation.

The searches know a step function and a cache, not a model; `Translator` joins them.
A step is `step(ids (R, 1) int32, cache, index () int32, *memory) -> (logits (R, 1, V),
cache)`.
"""
