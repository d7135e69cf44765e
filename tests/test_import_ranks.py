"""Who may import whom: only from its own folder and from lower ranks."""

import ast
import re
from pathlib import Path

import pytest

import keras_transformer

HOME = Path(keras_transformer.__file__).parent
PACKAGE = HOME.name

# The longest prefix of a module's name counts; `""` is the package's own __init__.
RANKS = {
    "text.special_tokens": 0,
    "process": 0,
    "runs.work_folder": 0,
    "config": 1,
    "runs.sealed_files": 2,
    "text": 3,
    "layers": 3,
    "data": 4,
    "models": 4,
    "pretrained.tokenizers": 4,
    "decoding": 5,
    "distribution": 5,
    "training.fused": 5,
    "training.fused_adam": 5,
    "training.loss": 5,
    "training.metrics": 5,
    "training.optimizer": 5,
    "training.r_drop": 5,
    "training.recipe": 5,
    "training.schedule": 5,
    "distribution.training_step": 6,  # compiles what `compile_for_training` makes
    "runs": 6,
    "evaluation": 7,
    "training": 8,  # `train` measures BLEU after its epochs
    "plots": 8,
    "bulk": 8,
    "documents": 8,
    "pretrained": 9,
    "export": 10,  # --to huggingface writes the names that imports read
    "kerashub": 11,  # reads texts as the SavedModel does, writes as an export
    "": 12,
    "app": 13,
    "cli": 14,
    "__main__": 15,
}
# What may be imported from above, inside a function.
UPWARDS = {  # Translator.load and Generator.load
    ("decoding.translator", "runs.run"),
    ("decoding.generator", "runs.run"),
}
BACKENDS = {"jax", "tensorflow", "torch"}
MAY_NAME_A_BACKEND = {
    "cli.startup",  # TensorFlow without its lines
    "decoding.compiled",
    "decoding.traced",
    "distribution",
    "distribution.training_step",
    "export",
    "layers.dropout",  # each backend's own way to random bits
    "layers.one_pass",  # XLA for what TensorFlow computes operation by operation
    "layers.products",  # XLA on processors: products of bfloat16
    "layers.onednn",  # oneDNN for what PyTorch multiplies by MKL
    "models.untuned",  # tf.data, as Keras reads a PyDataset
    "kerashub.tokenizer",  # KerasHub's pipelines are of tf.data
    "pretrained.checkpoint",  # reads what torch wrote
    "training.fused_adam",  # kernels that Keras's Adam does not use
}
# The searches know a step function and no model; nor do they know who calls them.
SEARCHES = {
    f"decoding.{name}"
    for name in ("beam_search", "cache", "closed_tokens", "loop", "sampling", "search")
}


def member(module):
    """The longest entry of RANKS that `module` lies in."""
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    found = [name for name in names if name in RANKS]
    if not found:
        raise ValueError(f"RANKS must give every module a rank; received {module!r}")
    return found[0]


def absolute(module, node, known):
    """The full name of what `from ... import` names, relative to `module` or not."""
    if not node.level:
        return node.module
    parts = [PACKAGE, *module.split(".")]
    if any(name.startswith(f"{module}.") for name in known):
        parts.append("__init__")
    return ".".join([*parts[: -node.level], *filter(None, [node.module])])


def imports(module, source, known):
    """What the source imports, anywhere; ours without the package's name.

    Yields:
        `(name, is_ours, is_top)`: the last says that it is not inside a function.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(module, node, known)
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                is_module = full.partition(".")[2] in known
                names.append(full if is_module else origin)
        for name in names:
            top, _, rest = name.partition(".")
            is_ours = top == PACKAGE
            yield rest if is_ours else name, is_ours, node in tree.body


def faults(module, source, known):
    """One sentence for every import that `module` may not make."""
    own = member(module)
    for name, is_ours, is_top in imports(module, source, known):
        if not is_ours:
            may_name = {own, module} & MAY_NAME_A_BACKEND
            if name.partition(".")[0] in BACKENDS and not may_name:
                yield f"{module} imports the backend {name}"
            continue
        target = member(name)
        is_downward = RANKS[target] < RANKS[own]
        if own.partition(".")[0] == target.partition(".")[0]:
            is_downward = RANKS[target] <= RANKS[own]
        is_listed = (module, name) in UPWARDS and not is_top
        if not is_downward and not is_listed:
            yield f"{module} (rank {RANKS[own]}) imports {name} (rank {RANKS[target]})"
        if (
            module in SEARCHES
            and RANKS[target] > RANKS["config"]
            and name not in SEARCHES
        ):
            yield f"{module} imports {name}: a search knows a step function only"


def modules():
    for path in sorted(HOME.rglob("*.py")):
        name = ".".join(path.relative_to(HOME).with_suffix("").parts)
        yield name.removesuffix("__init__").removesuffix("."), path


KNOWN = {name for name, _ in modules()}


@pytest.mark.parametrize(
    "module, path", [pytest.param(*pair, id=pair[0] or PACKAGE) for pair in modules()]
)
def test_imports_go_downwards(module, path):
    assert list(faults(module, path.read_text(encoding="utf-8"), KNOWN)) == []


FROM = "from keras_transformer"


@pytest.mark.parametrize(
    "module, source, fault",
    [
        ("layers.masks", f"{FROM}.models import Decoder", "rank 3.*models.*rank 4"),
        ("data.pairs", "def f():\n  import keras_transformer.runs.run", "4.*rank 6"),
        ("evaluation.scores", f"{FROM} import training", "7.*training.*rank 8"),
        ("training.train", f"{FROM} import Translator", r"rank 8.*imports  \(rank 12"),
        ("training.loss", f"{FROM}.training.train import train", "rank 5.*rank 8"),
        ("layers.masks", f"{FROM}.text import Tokenizer", "rank 3.*text.*rank 3"),
        ("text.special_tokens", f"{FROM}.layers import masks", "rank 0.*rank 3"),
        ("decoding.translator", f"{FROM}.runs.run import Run", "rank 5.*rank 6"),
        ("decoding.cache", f"{FROM}.models import Decoder", "a step function only"),
        ("decoding.search", f"{FROM}.decoding.translator import Translator", "a step"),
        ("layers.masks", "from ..models.decoder import Decoder", "rank 3.*rank 4"),
        ("text.lines", "from .. import layers", "text.*rank 3.*layers.*rank 3"),
        ("models.decoder", "def f():\n  import jax.numpy", "the backend jax.numpy"),
    ],
)
def test_the_check_can_fail(module, source, fault):
    (found, *_) = faults(module, source, KNOWN)
    assert re.search(fault, found)


def test_a_listed_import_inside_a_function_may_go_up():
    source = f"def f():\n  {FROM}.runs.run import Run"
    assert list(faults("decoding.translator", source, KNOWN)) == []


def test_every_module_has_a_rank():
    message = "RANKS must give every module a rank; received 'misc'"
    with pytest.raises(ValueError, match=message):
        list(faults("misc", "", KNOWN))


def test_no_module_can_unpickle():
    forbidden = r"pickle(?!d|=False)|marshal|shelve|\beval\(|\bexec\(|joblib"
    for path in HOME.rglob("*.py"):
        assert not re.search(forbidden, path.read_text()), path
