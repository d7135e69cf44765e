"""torch: processes that torchrun started; their gradients are summed as soon as each is there."""

import datetime

import numpy as np
import torch
import torch.distributed as dist

from keras_transformer.distribution.distribution import before_apply
from keras_transformer.distribution.launcher import launched, take_device
from keras_transformer.distribution.processes import Processes

# Between hosts, while process 0 prepares a corpus.
PATIENCE = datetime.timedelta(hours=12)


class TorchProcesses(Processes):
    """One device each, the GPU whose number is torchrun's LOCAL_RANK if there are any."""

    def __init__(self):
        self.process, self.processes = launched()
        take_device()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        # Whose sockets close when a process ends.
        self.hosts = dist.new_group(backend="gloo", timeout=PATIENCE)

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
        total = torch.from_numpy(np.array(array))
        dist.all_reduce(total, group=self.hosts)
        return total.numpy()

    def sum_gradients(self, model):
        under_way = []

        def begin(parameter):  # while the backward pass goes on
            under_way.append(dist.all_reduce(parameter.grad, async_op=True))

        for variable in model.trainable_variables:
            variable.value.register_post_accumulate_grad_hook(begin)

        def ended(gradients):  # which the hooks have changed in place
            while under_way:
                under_way.pop().wait()
            return gradients

        before_apply(model.optimizer, ended)
