"""Functions of tensors, compiled as the backend does it.

Beside `closed_tokens.at_ids`, this and `traced`, PyTorch's part, are the only code of
the search that knows backends.
"""

import collections
import functools
import threading

import keras

from .loop import advance_until

# Whoever computes holds this lock: a backend gives all processors to one computation,
# and two threads would compile the same one twice. On torch each thread that calls has
# OpenMP threads of its own; with more of them than free processors translations were
# seen to take many times as long.
COMPUTING = threading.Lock()
# Calls with one set of shapes before they are compiled as a whole, which takes as long
# as some of them.
OFTEN = 16
# The first calls with a set of shapes, which do without what JAX would have to compile.
WITHOUT = 4


class NoModel:
    """In place of a model whose variables are read."""

    variables = ()


def compiled(function, model=NoModel):
    """`function(*arrays) -> arrays`, nested ones, that reads the variables of `model`.

    JAX compiles each set of shapes at its first call; TensorFlow and torch do when a
    set has come often, and until then TensorFlow runs one graph for any number of rows.
    The variables may change between calls; when the model gets other variables, as by
    LoRA or int8, all is compiled anew.
    """
    makers = {"jax": for_jax, "tensorflow": for_tensorflow, "torch": for_torch}
    return makers[keras.backend.backend()](function, model)


def advancing(search, model):
    """`advance(request, state, length, fewer) -> (state, live)` of a `Search`.

    It goes on until no more than `fewer` sentences are live, or position `length` is
    reached; both are of NumPy's int32.
    """
    if keras.backend.backend() == "torch":
        from .traced import advancing_steps

        return advancing_steps(search, model)
    return compiled(functools.partial(advance_until, search), model)


def is_worth_compiling(calls):
    """Whether to compile what would make a call faster, by how many calls there were.

    JAX compiles each set of shapes at once, for seconds; the others do not.
    """
    return keras.backend.backend() != "jax" or calls > WITHOUT


def for_jax(function, model):
    import jax

    # As arguments: captured, they would become constants of every compiled shape.
    @jax.jit
    def pure(values, *arrays):
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(*arrays)

    def call(*arrays):
        return pure([variable.value for variable in model.variables], *arrays)

    return call


def for_tensorflow(function, model):
    import tensorflow as tf

    functions = {}
    calls = collections.Counter()
    watched = WatchedVariables(model)

    def spec_of(x):
        return tf.TensorSpec((None, *x.shape[1:]) if len(x.shape) else (), x.dtype)

    def call(*arrays):
        if watched.have_changed():
            functions.clear()
        specs = keras.tree.map_structure(spec_of, arrays, none_is_leaf=False)
        own = tuple(keras.tree.flatten(specs))
        shapes = (*own, *rows_of(arrays))
        calls[shapes] += 1
        is_often = calls[shapes] > OFTEN
        key = (is_often, *own)
        if key not in functions:
            # XLA takes seconds for each set of shapes.
            traced = tf.function(function, autograph=False, jit_compile=is_often)
            functions[key] = traced.get_concrete_function(*specs)
        return functions[key](*arrays)

    return call


class WatchedVariables:
    """The variables that a model had when it was last looked at."""

    def __init__(self, model):
        self._model = model
        self.variables = model.variables

    def have_changed(self):
        """Whether the model has others now."""
        before = self.variables
        # Kept, so that no other variable gets the `id` of one.
        self.variables = self._model.variables
        return [*map(id, before)] != [*map(id, self.variables)]


def rows_of(arrays):
    """How many rows each of nested arrays has."""
    leaves = [x for x in keras.tree.flatten(arrays) if x is not None]
    return [x.shape[0] for x in leaves if len(x.shape)]


def for_torch(function, model):
    from .traced import Traced

    return Traced(function, model)
