"""Products of float32 matrices by oneDNN under PyTorch, where that is faster.

PyTorch multiplies in float32 by Intel's MKL, which takes half of an AMD processor's
units of 512 bits. TensorFlow multiplies by oneDNN everywhere.
"""

import functools
import platform
from pathlib import Path

import keras

# Below so many multiplications a call of oneDNN takes longer than its sums.
MANY = 2**20
# MKL multiplies up to so many vectors as fast as memory gives it their matrix.
FEW_COLUMNS = 4


def is_faster(x, y_KM):
    """Whether the product of vectors `(..., K)` and a matrix is `multiplied`'s work."""
    if keras.backend.backend() != "torch":
        return False
    import torch

    # A program that is exported or compiled must run elsewhere, too.
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    columns = y_KM.shape[1]
    if columns <= FEW_COLUMNS or x.numel() * columns < MANY:
        return False
    return has_mkl_on_amd() and is_plain(x) and is_plain(y_KM)


def is_plain(x):
    """Whether a tensor of PyTorch is float32, on a processor and in no `torch.func`."""
    import torch

    is_float32 = x.dtype == torch.float32 and x.device.type == "cpu"
    return is_float32 and not torch._C._functorch.is_functorch_wrapped_tensor(x)


@functools.cache
def has_mkl_on_amd():
    """Whether PyTorch would take MKL on a processor of AMD, and has oneDNN, too."""
    import torch

    has_mkl = torch.backends.mkl.is_available()
    has_onednn = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return has_mkl and has_onednn and "AuthenticAMD" in processor()


@functools.cache
def processor():
    """What the system says of its processor, a set of words."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = platform.processor()
    return set(text.replace(",", " ").split())


def multiplied(x, y_KM, bias_M=None):
    """`x y + b`, or `x y`."""
    import torch

    given = [tensor for tensor in (x, y_KM, bias_M) if tensor is not None]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given):
        return differentiable()(x, y_KM, bias_M)
    return linear(x, y_KM, bias_M)


def linear(x, y_KM, bias_M=None):
    """The product, of which PyTorch knows no gradient."""
    import torch

    if is_better_turned(x, y_KM, bias_M):
        return linear(y_KM.t(), x.t()).t()
    # oneDNN fuses nothing into the product here: "none".
    call = torch.ops.mkldnn._linear_pointwise
    return call(x, y_KM.t(), bias_M, "none", [], "")


def is_better_turned(x, y_KM, bias_M):
    """Whether the transposes come in the other order: a transposed x is copied."""
    if bias_M is not None or x.ndim != 2 or x.is_contiguous():
        return False
    return y_KM.numel() < x.numel()


@functools.cache
def differentiable():
    """`linear` with its gradient, and that one's, as often as is asked for."""
    import torch

    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(context, x, y_KM, bias_M):
            context.save_for_backward(x, y_KM)
            return linear(x, y_KM, bias_M)

        @staticmethod
        def backward(context, slope):
            x, y_KM = context.saved_tensors
            needs_x, needs_y, needs_bias = context.needs_input_grad
            slope_NM = slope.flatten(0, -2)
            by_x = multiplied(slope, y_KM.t()) if needs_x else None
            by_y = multiplied(x.flatten(0, -2).t(), slope_NM) if needs_y else None
            by_bias = slope_NM.sum(0) if needs_bias else None
            return by_x, by_y, by_bias

    return Linear.apply
