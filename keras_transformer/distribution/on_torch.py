"""torch: processes that torchrun started sum each gradient as soon as it is there."""

import datetime
import warnings

import torch
import torch.distributed as dist

from .distribution import Processes, transform_gradients
from .launcher import launched, take_device


def engine(how, model_devices):
    """The engine for the processes that torchrun started; None for a single one."""
    _, processes = launched()
    if processes > 1:
        return TorchProcesses()
    gpus = torch.cuda.device_count()
    if gpus > 1:
        advice = "torchrun starts a process for each"
        warnings.warn(f"one of {gpus} GPUs is used: {advice}", stacklevel=3)
    return None


class TorchProcesses(Processes):
    """One device for each process: with GPUs, that of torchrun's LOCAL_RANK."""

    def __init__(self):
        self.process, self.processes = launched()
        take_device()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        # Its sockets close when a process ends; the others wait for process 0, which
        # may be preparing a corpus.
        patience = datetime.timedelta(hours=12)
        self.hosts = dist.new_group(backend="gloo", timeout=patience)

    def prepare(self, model):
        super().prepare(model)
        # Keras's dropout draws from torch's own generator.
        torch.manual_seed(torch.initial_seed() + self.process)
        return model

    def sum_tensors(self, tensors):
        tensors = [tensor.detach().clone() for tensor in tensors]
        for tensor in tensors:
            dist.all_reduce(tensor)
        return tensors

    def sum(self, array):
        total = torch.tensor(array)
        dist.all_reduce(total, group=self.hosts)
        return total.numpy()

    def sum_gradients(self, model):
        under_way = []

        # While the backward pass goes on.
        def begin(parameter):
            under_way.append(dist.all_reduce(parameter.grad, async_op=True))

        # In place, by what `begin` began.
        def summed(gradients):
            while under_way:
                under_way.pop().wait()
            return gradients

        for variable in model.trainable_variables:
            variable.value.register_post_accumulate_grad_hook(begin)
        transform_gradients(model.optimizer, summed)
