"""Benchmarks and tests stand apart: neither imports the other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = sorted((ROOT / "benchmarks").glob("[!_]*.py"))
HELPERS = {path.stem for path in (ROOT / "tests").rglob("*.py")}


def imported(source):
    """The modules that a source imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def from_tests(source):
    """The imports that only the folder of tests can answer."""
    return [
        name
        for name in imported(source)
        if name.partition(".")[0] == "tests" or name in HELPERS
    ]


@pytest.mark.parametrize("path", BENCHMARKS, ids=[path.stem for path in BENCHMARKS])
def test_a_benchmark_imports_no_test(path):
    assert from_tests(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    from tests.models.conftest import padded",
        "import tests.small",
        "from layer_checks import numpy",
    ],
)
def test_the_check_can_fail(source):
    assert len(from_tests(source)) == 1


def test_no_test_imports_a_benchmarks_helper():
    for path in (ROOT / "tests").rglob("*.py"):
        names = set(imported(path.read_text(encoding="utf-8")))
        assert not {"benchmarks.marian", "benchmarks.paired"} & names, path
