import platform
from pathlib import Path

import keras
import numpy as np
import pytest
from layer_checks import normal

from keras_transformer.layers import onednn, products
from keras_transformer.layers.dense import Dense

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="other backends have other products"
)
OPERATOR = "_linear_pointwise"


@pytest.fixture(autouse=True)
def every_product(monkeypatch):
    """A processor and sizes at which oneDNN is the faster one, as far as we ask."""
    import torch

    if not hasattr(torch.ops.mkldnn, OPERATOR):
        pytest.skip("this PyTorch was built without oneDNN")
    monkeypatch.setattr(onednn, "has_mkl_on_amd", lambda: True)
    monkeypatch.setattr(onednn, "MANY", 1)
    monkeypatch.setattr(onednn, "FEW_COLUMNS", 0)


def tensor(array, requires_grad=False):
    import torch

    tensor = torch.tensor(np.asarray(array, "float32"), device="cpu")
    return tensor.requires_grad_(requires_grad)


def calls_of(work):
    """What operators of PyTorch a function calls."""
    import torch

    with torch.profiler.profile() as profile:
        work()
    return {event.name for event in profile.events()}


@pytest.mark.parametrize("shape", [(1, 6), (5, 6), (2, 3, 6)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_products(shape, has_bias):
    x = normal(*shape)
    kernel = normal(6, 7)
    bias = normal(7)
    expected = x @ kernel + (bias if has_bias else 0.0)
    given = [tensor(x), tensor(kernel), tensor(bias) if has_bias else None]
    np.testing.assert_allclose(products.affine(*given), expected, rtol=1e-5, atol=1e-6)
    assert f"mkldnn::{OPERATOR}" in calls_of(lambda: products.affine(*given))


@pytest.mark.parametrize("axes", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("sizes", [(3, 8), (8, 3)])
def test_contracted(axes, sizes):
    rows, columns = sizes
    x = normal(*((5, rows) if axes[0] == 0 else (rows, 5)))
    y = normal(*((5, columns) if axes[1] == 0 else (columns, 5)))
    expected = np.tensordot(x, y, axes=axes)
    found = products.contracted(tensor(x), tensor(y), axes)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 6), (2, 3, 6)])
def test_slopes_and_slopes_of_slopes_are_those_of_pytorch(shape):
    import torch

    arrays = [normal(*shape), normal(6, 7), normal(7)]

    def slopes(product):
        given = [tensor(array, requires_grad=True) for array in arrays]
        outputs = torch.sin(product(*given))
        first = torch.autograd.grad(outputs.sum(), given, create_graph=True)
        total = sum((slope**2).sum() for slope in first)
        return [*first, *torch.autograd.grad(total, given)]

    found = slopes(products.affine)
    expected = slopes(lambda x, kernel, bias: x @ kernel + bias)
    assert len(found) == 6
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-4, atol=1e-5)


def test_only_what_is_asked_for_gets_a_slope():
    x = tensor(normal(5, 6))
    kernel = tensor(normal(6, 7), requires_grad=True)
    products.affine(x, kernel).sum().backward()
    assert x.grad is None
    expected = np.repeat(x.numpy().sum(0)[:, None], 7, axis=1)
    np.testing.assert_allclose(kernel.grad, expected, rtol=1e-5, atol=1e-6)


def test_when_it_is_faster(monkeypatch):
    x = tensor(normal(5, 6))
    y = tensor(normal(6, 7))
    assert onednn.is_faster(x, y)
    assert not onednn.is_faster(x.double(), y.double())
    assert not onednn.is_faster(x.bfloat16(), y.bfloat16())
    assert not onednn.is_faster(x.to("meta"), y.to("meta"))
    monkeypatch.setattr(onednn, "MANY", 5 * 6 * 7)
    assert onednn.is_faster(x, y)
    monkeypatch.setattr(onednn, "MANY", 5 * 6 * 7 + 1)
    assert not onednn.is_faster(x, y)
    monkeypatch.setattr(onednn, "MANY", 1)
    monkeypatch.setattr(onednn, "FEW_COLUMNS", 7)
    assert not onednn.is_faster(x, y)


@pytest.mark.parametrize(
    ("words", "is_amd"),
    [
        ("AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD", True),
        ("Intel64 Family 6 Model 143 Stepping 8, GenuineIntel", False),
        ("arm", False),
        ("", False),
    ],
)
def test_a_processor_that_windows_names(monkeypatch, words, is_amd):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(platform, "processor", lambda: words)
    assert ("AuthenticAMD" in onednn.processor.__wrapped__()) == is_amd


def test_an_exported_program_has_pytorchs_own_products():
    import torch

    layer = Dense(7)
    x = tensor(normal(2, 3, 6))
    layer(x)
    assert f"mkldnn::{OPERATOR}" in calls_of(lambda: layer(x))
    assert OPERATOR not in str(torch.export.export(layer, (x,)).graph)


def test_transforms_of_functions():
    import torch

    kernel = tensor(normal(6, 7))
    x = tensor(normal(4, 5, 6))

    def total(x):
        return torch.sin(products.affine(x, kernel)).sum()

    found = torch.func.vmap(torch.func.grad(total))(x)
    expected = torch.cos(x @ kernel) @ kernel.t()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_graph_of_a_search_has_it():
    import torch

    from keras_transformer.decoding import traced

    layer = Dense(7)
    x = tensor(normal(2, 3, 6))
    model = keras.Sequential([layer])
    expected = model(x).detach()
    with torch.inference_mode():
        graph = traced.traced(layer, model, [x])
    given = [*(variable.value for variable in model.variables), x]
    with torch.inference_mode():
        (found,) = graph(*given)
        assert f"mkldnn::{OPERATOR}" in calls_of(lambda: graph(*given))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
