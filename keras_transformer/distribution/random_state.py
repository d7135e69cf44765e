"""The random numbers of dropout that no variable of the model holds: the only code of training that knows a backend."""

import keras
import numpy as np


def random_state():
    """The state of torch's generators, of the CPU and of each GPU, as arrays; none under other backends.

    There a model's seed generators are all: under torch, Keras's dropout draws from the
    global generator.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [
        state.numpy()
        for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())
    ]


def set_random_state(arrays):
    """Go on with what `random_state` gave; what other backends or machines gave is of no use and changes nothing."""
    if keras.backend.backend() != "torch" or not arrays:
        return
    import torch

    cpu, *gpus = (torch.from_numpy(np.array(array)) for array in arrays)
    torch.set_rng_state(cpu)
    if len(gpus) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(gpus)
