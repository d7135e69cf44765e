"""Packages that only some uses of a run need, and how to get them."""

import importlib.util


def needed(*modules, extra="serve"):
    """Raise an `ImportError` that says how to get the first module not installed.

    It looks for the modules without importing them.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"{module} is not installed: {how_to_get(extra)}")


def how_to_get(extra):
    """The command that installs what an extra of `pyproject.toml` lists."""
    return f'pip install -e ".[{extra}]" in the clone'
