"""The random numbers of dropout that no variable of the model holds."""

import keras
import numpy as np


def random_state():
    """The states of torch's generators, of the CPU and of each GPU, as arrays.

    An empty list under other backends, where the model's seed generators are all: under
    torch, Keras's dropout draws from the global generator.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    states = (torch.get_rng_state(), *torch.cuda.get_rng_state_all())
    return [state.numpy() for state in states]


def set_random_state(arrays):
    """Go on with what `random_state` gave.

    States of another backend, or of another number of GPUs, change nothing.
    """
    if keras.backend.backend() != "torch" or not arrays:
        return
    import torch

    cpu, *gpus = [torch.from_numpy(np.array(array)) for array in arrays]
    torch.set_rng_state(cpu)
    if len(gpus) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(gpus)
