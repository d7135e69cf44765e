"""The random numbers of dropout that no variable of the model holds."""

import keras


def random_state():
    """The states of torch's generators, of the CPU and of each GPU, as arrays.

    None of other backends: Keras's dropout draws from them under torch alone.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    states = (torch.get_rng_state(), *torch.cuda.get_rng_state_all())
    return [state.numpy() for state in states]


def set_random_state(arrays):
    """Go on with what `random_state` gave, under torch and with as many GPUs."""
    if keras.backend.backend() == "torch" and arrays:
        import torch

        cpu, *gpus = [torch.tensor(array) for array in arrays]
        torch.set_rng_state(cpu)
        if len(gpus) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(gpus)
