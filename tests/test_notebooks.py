"""The notebooks run from top to bottom, and are what their sources give."""

import ast
import functools
import importlib.util
import itertools
import json
import re
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_transformer

nbformat = pytest.importorskip(
    "nbformat", reason="the extra `notebooks` is not installed"
)
pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")

ROOT = Path(__file__).parent.parent
PACKAGE = Path(keras_transformer.__file__).parent
EVERY_BACKEND = "1_quickstart"  # the others say the same on each, and are run on one

spec = importlib.util.spec_from_file_location(
    "make_notebooks", ROOT / "tools" / "make_notebooks.py"
)
make_notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_notebooks)
NAMES = make_notebooks.names()


def outputs(notebook):
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
# What they show has tests of its own: tests/cli, tests/decoding, tests/plots,
# tests/export and tests/distribution.
LONG = (
    EVERY_BACKEND,
    "3_attention",
    "4_serving",
    "5_scaling",
    "6_kerashub",
    "7_one_stack",
)


def marks(name):
    is_daily = ON_TENSORFLOW and name not in LONG
    return pytest.mark.every_backend if is_daily else pytest.mark.slow


@pytest.mark.parametrize("name", [pytest.param(n, marks=marks(n)) for n in NAMES])
def test_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    if name != EVERY_BACKEND and not ON_TENSORFLOW:
        pytest.skip(f"{name} is run on TensorFlow")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    notebook = make_notebooks.run(make_notebooks.notebook_of(name), str(tmp_path))
    kept = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)

    def pictures(notebook):
        return sum(
            "image/png" in output.get("data", {}) for output in outputs(notebook)
        )

    assert pictures(notebook) == pictures(kept) > 0
    if name == "7_one_stack":
        check_one_stack(notebook)
    if name == EVERY_BACKEND:
        text = "".join(output.get("text", "") for output in outputs(notebook))
        assert float(re.search(r"BLEU (\d+\.\d+)", text)[1]) > 80


def check_one_stack(notebook):
    """What notebook 7 says of each of its models."""
    text = "".join(output.get("text", "") for output in outputs(notebook))

    def shares(pattern):
        return [float(share) for share in re.findall(pattern, text)]

    teacher, student = shares(r"(?:teacher|student) (\d+\.\d)%")
    assert teacher > 97 and student > teacher - 2
    errors = shares(r"word error rate (\d+\.\d)%")
    assert len(errors) == 3 and max(errors) < 10
    found = shares(r"(\d+\.\d)% of 128 answers")
    assert len(found) == 4 and min(found) > 98
    assert text.count("differ by") == 3  # which the notebook compares with 2e-6


def test_what_one_stack_has_shown():
    place = ROOT / "notebooks" / "7_one_stack.ipynb"
    check_one_stack(nbformat.read(place, as_version=4))


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_in_the_repository_is_its_source_with_outputs(name):
    kept = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    nbformat.validate(kept)
    fresh = make_notebooks.notebook_of(name)
    shown = [(cell.cell_type, cell.source) for cell in fresh.cells]
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == shown, (
        "python tools/make_notebooks.py " + name
    )
    counts = [cell.execution_count for cell in kept.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(kept) and not any(
        output.output_type == "error" for output in outputs(kept)
    )
    assert not re.search(r"/(home|root|tmp|work|Users)/", json.dumps(outputs(kept)))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_how_it_is_opened(name):
    first = make_notebooks.notebook_of(name).cells[0].source
    assert f"\njupyter lab notebooks/{name}.ipynb\n" in first
    extras = re.search(r'pip install -e "\.\[([\w,]+)\]" jupyterlab', first)[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"notebooks", *extras.split(",")} <= {*project["optional-dependencies"]}


# Of TensorFlow's strategy.
THEIRS = ("experimental_distribute_dataset", "experimental_local_results")


@functools.cache
def known_names():
    """The names that stand in our package or are Keras's: what our objects may have."""
    known = {*THEIRS, *dir(keras.Model), *dir(np.ndarray), *dir(str)}
    trees = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")]
    for node in itertools.chain.from_iterable(map(ast.walk, trees)):
        known |= {getattr(node, field, None) for field in ("name", "attr", "id", "arg")}
    return known


def root(node):
    """The variable that an expression begins with, such as `run` in `run.log[0]`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def unknown_names(source):
    """The names that a program takes of our objects, and that stand nowhere in ours."""
    ours = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith(PACKAGE.name):
            ours |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and root(node.value) in ours:
            parts = itertools.chain.from_iterable(map(ast.walk, node.targets))
            ours |= {part.id for part in parts if isinstance(part, ast.Name)}
        elif isinstance(node, ast.Attribute) and root(node) in ours:
            if node.attr not in known_names():
                yield f"{root(node)} ... .{node.attr}"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_notebook_asks_of_our_objects_is_there(name):
    """For those that are too long to be run each day."""
    source = (ROOT / "notebooks" / "sources" / f"{name}.py").read_text("utf-8")
    assert not [*unknown_names(source)]


def test_what_is_not_there_is_found():
    source = (
        "from keras_transformer import Run\nconfig = Run.open('run').config.model\n"
    )
    assert not [*unknown_names(source + "config.head_sizes\n")]
    found = [*unknown_names(source + "size = config.head_size\n")]
    assert found == ["config ... .head_size"]


def test_there_is_a_source_for_each_notebook():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(NAMES)


def test_cells_of_a_source(tmp_path, monkeypatch):
    (tmp_path / "sources").mkdir()
    source = "# %% [markdown]\n# # Title\n#\n# Text.\n\n"
    source += "# %%\n# %matplotlib inline\nx = 1  # %d\n\n\n# %%\nx + 1\n"
    (tmp_path / "sources" / "n.py").write_text(source)
    monkeypatch.setattr(make_notebooks, "FOLDER", tmp_path)
    cells = make_notebooks.notebook_of("n").cells
    assert [cell.source for cell in cells] == [
        "# Title\n\nText.",
        "%matplotlib inline\nx = 1  # %d",
        "x + 1",
    ]
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "code"]
    assert make_notebooks.names() == ["n"]
    monkeypatch.setattr(sys, "argv", ["make_notebooks", "n"])
    monkeypatch.setattr(make_notebooks, "run", lambda notebook, folder: notebook)
    make_notebooks.main()
    assert nbformat.read(tmp_path / "n.ipynb", as_version=4).cells[2].source == "x + 1"
