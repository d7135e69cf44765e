"""On PyTorch: a graph gives what the layers give, for every request of its shape."""

import dataclasses
import types
import warnings

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import randomise, some_slow
from test_threads import in_threads

from keras_transformer.config import CausalLMConfig, DecodingConfig
from keras_transformer.decoding.generator import Generator
from keras_transformer.decoding.translator import Translator
from keras_transformer.layers.cache import put
from keras_transformer.models.causal_lm import CausalLM
from keras_transformer.text.markup import Markup
from keras_transformer.text.tokenizer import Tokenizer

if keras.backend.backend() != "torch":
    pytest.skip("of PyTorch alone", allow_module_level=True)

from keras_transformer.decoding import compiled, traced  # noqa: E402

CONFIG = DecodingConfig(beam=3, extra_length=3, batch_size=8)
SEARCHES = {
    "beam": CONFIG,
    "n best": dataclasses.replace(CONFIG, n_best=3),
    "greedy": dataclasses.replace(CONFIG, search="greedy"),
    "sampling": dataclasses.replace(CONFIG, search="sampling", n_best=2, seed=3),
    "no repeats": dataclasses.replace(CONFIG, search="greedy", no_repeat_ngram=2),
}
NEVER = 1 << 30


@pytest.fixture
def both(monkeypatch):
    """What `make()` gives for some texts, without graphs and with nothing else."""

    def both(make, *calls):
        found = []
        for often in (NEVER, 0):
            monkeypatch.setattr(compiled, "OFTEN", often)
            made = make()
            found.append([call(made) for call in calls])
        return found

    return both


def same(some, others):
    for one, other in zip(some, others, strict=True):
        assert [h.ids for own in one for h in own] == [h.ids for o in other for h in o]
        scores = [h.score for own in other for h in own]
        found = [h.score for own in one for h in own]
        np.testing.assert_allclose(found, scores, atol=3e-6)


@pytest.mark.filterwarnings("error:searched by Keras's layers")
@pytest.mark.parametrize("search", some_slow(SEARCHES, ["n best"]))
def test_two_requests_of_one_shape(model, tokenizer, sentences, both, search):
    """Their prefixes, and the seeds of their samples, are not each other's."""
    texts = sentences(3, seed=1), sentences(3, seed=2)

    def make():
        return Translator(model, tokenizer, config=SEARCHES[search])

    def begun(words):
        def call(translator):
            return translator.hypotheses(texts[0], words)

        return call

    same(
        *both(
            make,
            lambda translator: translator.hypotheses(texts[0]),
            lambda translator: translator.hypotheses(texts[1]),
            begun(["a red", "the", ""]),
            begun(["the man", "", "a"]),
        )
    )


def test_two_requests_with_markup(model, sentences, both):
    markup = Markup(("python-format",))
    tokenizer = Tokenizer.train(sentences(100), 67, markup=markup)

    def make():
        return Translator(model, tokenizer, config=CONFIG)

    def one(translator):
        return translator.hypotheses(["a man %s a dog"])

    def other(translator):
        return translator.hypotheses(["a %d of %d"])

    same(*both(make, one, other))


@pytest.mark.parametrize("positions", ["rotary", "relative", "learned"])
def test_two_prompts_of_one_shape(both, positions):
    tokenizer = Tokenizer.train(["a man rides a bike", "a horse runs"], 24)
    sizes = dict(num_layers=1, d_model=16, d_ff=16, num_heads=2)
    model = CausalLM(CausalLMConfig(vocab_size=24, positions=positions, **sizes))
    randomise(model)

    def make():
        return Generator(model, tokenizer, CONFIG)

    def one(generator):
        return generator.hypotheses(["a man", "a horse rides"])

    def other(generator):
        return generator.hypotheses(["a bike", "the man a bike"])

    same(*both(make, one, other))


def test_attention_and_scores(model, tokenizer, sentences, both):
    texts = sentences(2, seed=4)

    def make():
        return Translator(model, tokenizer, config=CONFIG)

    def call(translator):
        scores = translator.score(texts, texts[::-1])
        cross = [translator.attention(*pair).cross for pair in (texts, texts[::-1])]
        return np.concatenate([scores, *map(np.ravel, cross)])

    (plain,), (graph,) = both(make, call)
    np.testing.assert_allclose(graph, plain, atol=3e-6)


def test_weights_may_change(model, tokenizer, sentences, both):
    texts = sentences(4, seed=5)
    weights = model.get_weights()

    def make():
        return Translator(model, tokenizer, config=CONFIG)

    def call(translator):
        before = translator.hypotheses(texts)
        model.set_weights([1.5 * weight for weight in weights])
        after = translator.hypotheses(texts)
        model.set_weights(weights)
        return [*before, *after]

    (plain,), (graph,) = both(make, call)
    assert [own[0].ids for own in plain[:4]] != [own[0].ids for own in plain[4:]]
    same([plain], [graph])


@pytest.mark.parametrize("search", ["beam", "sampling"])
def test_steps_after_the_end_change_nothing(
    model, tokenizer, sentences, monkeypatch, search
):
    """As on a GPU, where nobody looks at each step whether the search is over."""
    translator = Translator(model, tokenizer, config=SEARCHES[search])
    texts = sentences(9, seed=6)
    found = translator.hypotheses(texts)
    monkeypatch.setattr(traced, "pace", lambda device: 8)
    same([translator.hypotheses(texts)], [found])


def test_threads_that_trace_at_once(model, tokenizer, sentences, monkeypatch):
    monkeypatch.setattr(compiled, "OFTEN", 0)
    translator = Translator(model, tokenizer, config=CONFIG)

    def work(number):
        return translator(sentences(2, seed=number))

    found = in_threads(work)
    assert found == [work(number) for number in range(len(found))]


def graph_of(function, monkeypatch, often=0):
    monkeypatch.setattr(compiled, "OFTEN", often)
    return traced.Traced(function, types.SimpleNamespace(variables=()))


def tensor(*numbers):
    return ops.convert_to_tensor(np.array(numbers, "float32"))


def test_a_shape_is_traced_when_it_has_come_often(monkeypatch):
    calls = []

    def double(x):
        calls.append(x)
        return 2 * x

    graph = graph_of(double, monkeypatch, often=2)
    found = [graph(tensor(number)).tolist() for number in range(5)]
    assert found == [[0], [2], [4], [6], [8]]
    assert len(calls) == 3  # two as they are, and one without numbers


def test_as_many_graphs_are_kept_as_may_be(monkeypatch):
    monkeypatch.setattr(traced, "GRAPHS", 2)
    graph = graph_of(lambda x: x + 1, monkeypatch)
    for length in (1, 2, 3, 1):
        assert graph(tensor(*range(length))).tolist() == [*range(1, length + 1)]
        assert len(graph._shapes) <= 2


def test_arguments_that_are_one_tensor_and_absent_ones(monkeypatch):
    def difference(x, y):
        if x is None or y is None:
            return -y if x is None else x
        return x - y

    graph = graph_of(difference, monkeypatch)
    one = tensor(3, 5)
    assert graph(one, one).tolist() == [0, 0]
    assert graph(one, tensor(1, 1)).tolist() == [2, 4]
    assert graph(one, None).tolist() == [3, 5]
    assert graph(None, one).tolist() == [-3, -5]


def test_constants_are_not_taken_for_each_other(monkeypatch):
    long = np.arange(2000, dtype="float32")
    other = long.copy()
    other[1000] = 0  # which NumPy does not print

    def add(x):
        return x + ops.convert_to_tensor(long) - ops.convert_to_tensor(other)

    found = graph_of(add, monkeypatch)(ops.zeros(2000))
    np.testing.assert_array_equal(found, long - other)


def test_a_variable_beside_a_tensor(monkeypatch):
    """As the output bias of a Marian stands beside its logits."""
    bias = keras.Variable([3.0, 5.0])

    def add(x):
        return x + bias

    monkeypatch.setattr(compiled, "OFTEN", 0)
    graph = traced.Traced(add, types.SimpleNamespace(variables=[bias]))
    with warnings.catch_warnings(action="error"):
        assert graph(ops.zeros(2)).tolist() == [3, 5]
    bias.assign([7.0, 9.0])
    assert graph(ops.zeros(2)).tolist() == [7, 9]


@pytest.mark.parametrize("rows", [[1, 0, 1], [1]])
def test_a_copy_is_written_into_in_place(rows, monkeypatch):
    """What a search does to its caches, without a second copy."""

    def reordered(x, rows, new):
        return put(ops.take(x, rows, axis=0), new, 1)

    graph = graph_of(reordered, monkeypatch)
    x = ops.reshape(ops.arange(8.0), (2, 1, 2, 2))
    given = (x, ops.convert_to_tensor(rows), 9 * ops.ones((len(rows), 1, 1, 2)))
    found = graph(*given).tolist()
    assert found == [[[x[row, 0, 0].tolist(), [9, 9]]] for row in rows]
    assert x.tolist() == [[[[0, 1], [2, 3]]], [[[4, 5], [6, 7]]]]
    assert "index_copy_" in called(graph, *given)


def test_what_is_read_once_more_is_not_written_into(monkeypatch):
    def reads_the_copy(x):
        copy = ops.take(x, ops.arange(2), axis=0)
        return put(copy, x[:, :, :1] * 0, 1), copy

    def writes_into_its_argument(x):
        return put(x, x[:, :, :1] * 0, 1), x

    def writes_into_a_constant(x):
        copy = ops.take(ops.ones((2, 1, 2, 1)), ops.arange(2), axis=0)
        return put(copy, x[:, :, :1], 1), x

    ones = ops.ones((2, 1, 2, 1))
    for function in (reads_the_copy, writes_into_its_argument, writes_into_a_constant):
        graph = graph_of(function, monkeypatch)
        for x in (ones, 3 * ones):
            expected = [own.tolist() for own in function(x)]
            assert [own.tolist() for own in graph(x)] == expected
        assert "index_copy_" not in called(graph, ones)


def called(graph, *arrays):
    """The names of the methods that are called for such arrays."""
    code = graph.graph_for(*arrays)._forward.__self__.graph
    return [node.target for node in code.nodes if node.op == "call_method"]


def test_no_value_becomes_a_part_of_a_graph(monkeypatch):
    held = tensor(1, 2)

    def closes_over(x):
        return x + held

    def asks(x):
        return x if ops.sum(x) > 0 else -x

    def writes(x):
        y = x + 0
        y[0] = 7
        return y

    def adds_in_place(x):
        return (x + 0).add_(1)

    fake = "(?i)fake|data-dependent|local_scalar"
    written = "a function of a graph must have no call that writes"
    cases = {closes_over: fake, asks: fake, writes: written, adds_in_place: written}
    for function, message in cases.items():
        graph = graph_of(function, monkeypatch)
        with pytest.warns(UserWarning, match="by Keras's layers, which is slower"):
            found = graph(tensor(1, 2))
        assert found.tolist() == function(tensor(1, 2)).tolist()
        assert graph(tensor(-3, 2)).tolist() == function(tensor(-3, 2)).tolist()
        with pytest.raises(Exception, match=message):
            traced.traced(function, graph._model, (tensor(1, 2),))
