"""Who may import whom: a module imports from its own folder and from lower ranks only."""

import ast
import re
from pathlib import Path

import pytest

import keras_transformer

HOME = Path(keras_transformer.__file__).parent
PACKAGE = HOME.name

# The longest prefix of a module's name counts; `""` is the package's own __init__.
RANKS = {
    "config": 0,
    "allocator": 0,
    "backend": 0,
    "files": 0,
    "extras": 0,
    "text.special_tokens": -1,
    "text": 1,
    "layers": 1,
    "distribution": 1,
    "data": 2,
    "models": 2,
    "engine": 3,
    "output": 1,
    "run_directory": 3,
    "decoding": 4,
    "evaluation": 5,
    "training": 6,  # `train` measures BLEU after its epochs
    "pretrained": 7,
    "export": 8,  # --to huggingface writes the names that imports read
    "plots": 7,
    "app": 8,
    "flags": 1,
    "cli": 10,
    "": 9,
    "__main__": 11,
}
BACKENDS = {"jax", "tensorflow", "torch"}
# The searches know a step function and no model; nor do they know who calls them.
SEARCHES = {
    f"decoding.{name}"
    for name in ("cache", "search", "greedy", "sampling", "beam_search")
}
MAY_NAME_A_BACKEND = {
    "decoding.compiled",
    "training.random_state",
    "distribution",
    "export",
    "pretrained.checkpoint",
}


def member(module):
    """The longest entry of RANKS that `module` lies in."""
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    found = [name for name in names if name in RANKS]
    if not found:
        raise ValueError(f"RANKS must give every module a rank; received {module!r}")
    return found[0]


def imports(module, source, known):
    """Every module that the source imports, at the top or inside a function; ours without the package's name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"imports must be absolute; received a relative one in {module}"
                )
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [
                full if full.partition(".")[2] in known else node.module
                for full in inner
            ]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            yield (rest if top == PACKAGE else name), top == PACKAGE


def faults(module, source, known):
    """One sentence for every import that `module` may not make."""
    own = member(module)
    for name, is_ours in imports(module, source, known):
        if not is_ours:
            if (
                name.partition(".")[0] in BACKENDS
                and not {own, module} & MAY_NAME_A_BACKEND
            ):
                yield f"{module} imports the backend {name}"
            continue
        target = member(name)
        same_folder = own.partition(".")[0] == target.partition(".")[0]
        if not same_folder and RANKS[target] >= RANKS[own]:
            yield f"{module} (rank {RANKS[own]}) imports {name} (rank {RANKS[target]})"
        if (
            module in SEARCHES
            and RANKS[target] > 0
            and name not in SEARCHES | {"decoding"}
        ):
            yield f"{module} imports {name}: a search knows a step function only"


def modules():
    for path in sorted(HOME.rglob("*.py")):
        yield (
            ".".join(path.relative_to(HOME).with_suffix("").parts)
            .removesuffix("__init__")
            .removesuffix("."),
            path,
        )


KNOWN = {name for name, _ in modules()}


@pytest.mark.parametrize(
    "module, path", [pytest.param(*pair, id=pair[0] or PACKAGE) for pair in modules()]
)
def test_imports_go_downwards(module, path):
    assert list(faults(module, path.read_text(encoding="utf-8"), KNOWN)) == []


@pytest.mark.parametrize(
    "module, source, fault",
    [
        (
            "layers.masks",
            "from keras_transformer.models import Transformer",
            "rank 1.*models.*rank 2",
        ),
        (
            "data.corpus",
            "def f():\n    import keras_transformer.training.loss",
            "rank 2.*training.loss.*rank 6",
        ),
        (
            "evaluation.evaluate",
            "from keras_transformer import training",
            "rank 5.*training.*rank 6",
        ),
        (
            "training.train",
            "from keras_transformer import Translator",
            r"rank 6.*imports  \(rank 9",
        ),
        (
            "layers.masks",
            "from keras_transformer.text import Tokenizer",
            "rank 1.*text.*rank 1",
        ),
        (
            "text.special_tokens",
            "from keras_transformer.layers import masks",
            "rank -1.*rank 1",
        ),
        (
            "decoding.greedy",
            "from keras_transformer.models import Decoder",
            "a step function only",
        ),
        (
            "decoding.search",
            "from keras_transformer.decoding.translator import Translator",
            "a step function only",
        ),
        (
            "models.decoder",
            "def f():\n    import jax.numpy as jnp",
            "imports the backend jax.numpy",
        ),
    ],
)
def test_the_check_can_fail(module, source, fault):
    (found, *_) = faults(module, source, KNOWN)
    assert re.search(fault, found)


def test_a_module_without_a_rank_is_a_fault():
    with pytest.raises(
        ValueError, match="RANKS must give every module a rank; received 'misc'"
    ):
        list(faults("misc", "", KNOWN))


def test_a_relative_import_is_a_fault():
    with pytest.raises(
        ValueError,
        match="imports must be absolute; received a relative one in layers.masks",
    ):
        list(faults("layers.masks", "from ..models import decoder", KNOWN))


def test_no_module_can_unpickle():
    for path in HOME.rglob("*.py"):
        assert not re.search(
            r"pickle(?!d|=False)|marshal|shelve|\beval\(|\bexec\(|joblib",
            path.read_text(),
        ), path
