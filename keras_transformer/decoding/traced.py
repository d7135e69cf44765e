"""A function of tensors written out as plain PyTorch, for shapes that come often.

Keras's layers are Python: in a search, whose steps are small, they take most of the
time. What they call is the same for all tensors of a shape, and can be called again
without them.
"""

import collections
import operator
import threading
import warnings

import keras
import numpy as np
import torch
from keras import tree
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode

from ..config import expect
from . import compiled
from .loop import live_sentences

GRAPHS = 64  # of a function: those used last


class Traced:
    """A function of nested tensors that reads the variables of a model.

    It runs as it is at first. A shape that comes often is traced: the function is
    called with tensors of that shape that hold nothing, and the calls of PyTorch's
    functions are kept as a graph. The variables are inputs of the graph, so they may
    change. A function that asks what a tensor holds, closes over one or writes into one
    cannot be traced: it goes on as it is, with a warning. No value of a call becomes a
    part of a graph.
    """

    def __init__(self, function, model):
        self._function = function
        self._model = model
        self._shapes = collections.OrderedDict()  # the calls of each, or its graph
        self._watched = compiled.WatchedVariables(model)
        self._lock = threading.Lock()

    @torch.inference_mode()
    def __call__(self, *arrays):
        graph = self.graph_for(*arrays)
        if graph is None:
            return self._function(*arrays)
        return graph.packed(graph(*self.values(), *tensors_in(arrays)))

    def values(self):
        """Those of the model's variables: the first inputs of every graph."""
        return [variable.value for variable in self._watched.variables]

    def graph_for(self, *arrays):
        """The `Graph` for arrays of these shapes; None while they are too rare."""
        key = key_of(arrays)
        with self._lock:
            if self._watched.have_changed():
                self._shapes.clear()
            found = self._shapes.pop(key, 0)
            if found == compiled.OFTEN:
                found = self._traced(arrays)
            elif isinstance(found, int):
                found += 1
            self._shapes[key] = found
            if len(self._shapes) > GRAPHS:
                self._shapes.popitem(last=False)
        return None if isinstance(found, int) else found

    def _traced(self, arrays):
        try:
            return traced(self._function, self._model, arrays)
        except Exception as error:  # a layer may do anything: its results are right
            slow = f"searched by Keras's layers, which is slower: {error!r}"
            warnings.warn(slow, stacklevel=2)
            return None


def tensors_in(arrays):
    """The tensors of nested arrays, some of which may be None, as graphs take them."""
    return [x.contiguous() for x in tree.flatten(arrays) if x is not None]


def key_of(arrays):
    """What a graph for nested arrays depends on."""
    leaves = tree.flatten(arrays)
    return tuple(x if x is None else (x.shape, x.dtype, x.device) for x in leaves)


class Graph:
    """Calls of PyTorch's functions: from a list of tensors to a list of tensors.

    Args:
        graph: of `torch.fx`.
        result: what the function gave, for its structure.
    """

    def __init__(self, graph, result):
        constants = with_constants(graph)
        write_in_place(graph)
        self._forward = torch.fx.GraphModule(constants, graph).forward
        self._structure = tree.map_structure(type, result)

    def __call__(self, *inputs):
        return self._forward(*inputs)

    def packed(self, leaves):
        """The leaves of a result as the function gives them, nested."""
        return tree.pack_sequence_as(self._structure, leaves)


def traced(function, model, arrays):
    """The `Graph` of a function, of the variables' values and the arrays' tensors."""
    recorder = Recorder()
    variables = model.variables
    with FakeTensorMode():
        values = [recorder.placeholder(variable.value) for variable in variables]
        own = tree.map_structure(recorder.placeholder, arrays, none_is_leaf=False)
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping), recorder:
            found = function(*own)
    recorder.graph.output([recorder.node_of(x) for x in tree.flatten(found)])
    return Graph(recorder.graph, found)


class Recorder(TorchFunctionMode):
    """Writes down what is called with its placeholders, the same call but once."""

    def __init__(self):
        super().__init__()
        self.graph = torch.fx.Graph()
        self._nodes = {}  # of each tensor, by its `id`
        self._tensors = []  # kept, so that no other one gets its `id`
        self._calls = {}

    def placeholder(self, tensor):
        """A tensor as that one, that holds nothing."""
        empty = torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
        self._remember(empty, self.graph.placeholder(f"input_{len(self._tensors)}"))
        return empty

    def node_of(self, x):
        """The node of a tensor or a variable; anything else as it is."""
        if isinstance(x, keras.Variable):
            x = x.value
        return self._nodes[id(x)] if isinstance(x, torch.Tensor) else x

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        writes = name == "__setitem__" or (name[-1:] == "_" and name[-2:] != "__")
        expect(not writes, "a function of a graph", "have no call that writes", name)
        found = function(*args, **kwargs)
        if id(found) in self._nodes:
            return found  # such as a tensor that has the type already
        if isinstance(found, torch.Tensor):
            self._remember(found, self._call(function, args, kwargs))
        elif any(isinstance(x, torch.Tensor) for x in tree.flatten(found)):
            node = self._call(function, args, kwargs)
            for number, tensor in enumerate(found):
                part = self._call(operator.getitem, (node, number), {})
                self._remember(tensor, part)
        return found

    def _remember(self, tensor, node):
        self._tensors.append(tensor)
        self._nodes[id(tensor)] = node

    def _call(self, function, args, kwargs):
        args = map_aggregate(tuple(args), self.node_of)
        kwargs = map_aggregate(kwargs, self.node_of)
        if getattr(function, "__name__", None) == "__get__":  # a property, as `x.T`
            args = (*args[:1], function.__self__.__name__)
            function = getattr
        key = (function, repr(args), repr(kwargs))
        # NumPy leaves out most of an array.
        has_array = any(isinstance(x, np.ndarray) for x in tree.flatten([args, kwargs]))
        if key not in self._calls or has_array:
            self._calls[key] = self._new_call(function, args, kwargs)
        return self._calls[key]

    def _new_call(self, function, args, kwargs):
        owner = getattr(function, "__objclass__", None)
        module = getattr(function, "__module__", None)
        if owner is not None or module == "torch._tensor":
            return self.graph.call_method(function.__name__, args, kwargs)
        return self.graph.call_function(function, args, kwargs)


def with_constants(graph):
    """Computes all in a graph that depends on no input: a module that holds it."""
    values = {}
    module = torch.nn.Module()
    for node in list(graph.nodes):
        is_call = node.op in ("call_function", "call_method")
        if is_call and all(own in values for own in node.all_input_nodes):
            value = computed(node, values)
            values[node] = value
            if isinstance(value, torch.Tensor):
                name = f"constant_{node.name}"  # a module has a method `to`
                setattr(module, name, value)
                with graph.inserting_before(node):
                    constant = graph.get_attr(name)
                node.replace_all_uses_with(constant)
                values[constant] = value
    graph.eliminate_dead_code()
    return module


def computed(node, values):
    """What a node gives for the values of others."""
    args = torch.fx.map_arg(node.args, values.__getitem__)
    kwargs = torch.fx.map_arg(node.kwargs, values.__getitem__)
    if node.op == "call_method":
        return getattr(args[0], node.target)(*args[1:], **kwargs)
    return node.target(*args, **kwargs)


# Methods that change nothing but a tensor's shape.
VIEWS = ("reshape", "squeeze")


def write_in_place(graph):
    """Lets a graph write into rows of a tensor where it has copied them for that.

    A search reorders its caches and then writes into them: one copy is enough.
    """
    for node in graph.find_nodes(op="call_method", target="index_copy"):
        whole = node.args[0]
        while whole.target in VIEWS and len(whole.users) == 1:
            whole = whole.args[0]
        is_copy = whole.target is torch.index_select
        if is_copy and len(whole.users) == 1:
            node.target = "index_copy_"


def pace(device):
    """Steps between two looks at what is live: each look waits for a GPU.

    A step of a search that is over changes nothing.
    """
    return 1 if device.type == "cpu" else 8


def advancing_steps(search, model):
    """`advance` of `compiled.advancing`, step by step."""

    def step(request, state):
        state = search.advance(request, state)
        return state, live_sentences(search, state)

    once = Traced(step, model)

    @torch.inference_mode()
    def advance(request, state, length, fewer):
        position = int(state.index)
        number = live_sentences(search, state)
        graph = None
        while position < length and number > fewer and graph is None:
            graph = once.graph_for(request, state)
            if graph is None:
                state, number = step(request, state)
                position += 1
        if graph is not None:
            known = [*once.values(), *tensors_in(request)]
            positions = range(position, length)
            leaves = steps(graph, known, (state, number), positions, fewer)
            state, _ = graph.packed(leaves)
        return state, search.live(state)

    return advance


def steps(graph, known, begun, positions, fewer):
    """The leaves of a state and of its number of live sentences, some steps later.

    Nothing is packed in between: that takes as long as the smallest steps.

    Args:
        graph: of a step.
        known: its first inputs, the same at each step.
        begun: the state and the number.
        positions: of the steps, if all are made.
        fewer: it ends when no more sentences are live.
    """
    leaves = tree.flatten(begun)
    every = pace(leaves[-1].device)
    for position in positions:
        if position % every == 0 and int(leaves[-1]) <= fewer:
            break
        state = [x.contiguous() for x in leaves[:-1] if x is not None]
        leaves = graph(*known, *state)
    return leaves
