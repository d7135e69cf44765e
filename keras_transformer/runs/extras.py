"""What only some commands need, and how to get it."""

import importlib.util


def needed(*modules, extra="serve"):
    """Raise an `ImportError` that says how to get them unless these modules are installed; none is imported."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ImportError(
                f"{module} is not installed: pip install 'keras-transformer-nmt[{extra}]'"
            )
