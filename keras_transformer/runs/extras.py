"""What only some commands need, and how to get it."""

import importlib.util


def needed(*modules, extra="serve"):
    """Raise an `ImportError` that says how to install what is missing of these modules.

    None of them is imported.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ImportError(
                f'{module} is not installed: pip install -e ".[{extra}]" in the clone '
                "of keras_transformer"
            )
