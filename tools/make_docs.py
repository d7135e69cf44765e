"""Write the API reference by pdoc: python tools/make_docs.py [FOLDER]

It is made from the docstrings. A warning, such as of a name that cannot be found, is an
error. The pages need no network.
"""

import argparse
import importlib
import pkgutil
import warnings
from pathlib import Path

import pdoc

HOME = "keras_transformer"


def parts(package):
    """The modules with a page of their own: every folder, and the configuration."""
    modules = pkgutil.iter_modules(package.__path__)
    folders = [module.name for module in modules if module.ispkg]
    return [f"{HOME}.{name}" for name in sorted([*folders, "config"])]


def import_public_names(module):
    """Import what a module gives when it is first used: pdoc looks at what is there."""
    for name in getattr(module, "__all__", ()):
        setattr(module, name, getattr(module, name))


def make(folder):
    """Write a page for the public names and one for each part; return their modules."""
    package = importlib.import_module(HOME)
    modules = [HOME, *parts(package)]
    for module in modules:
        import_public_names(importlib.import_module(module))
    pdoc.render.configure(
        docformat="google", footer_text="keras_transformer", show_source=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Those that are public names of the package pdoc finds there.
        found = [f"{HOME}.{name}" for name in package.__all__]
        others = [module for module in modules if module not in found]
        pdoc.pdoc(*others, output_directory=Path(folder))
    return modules


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "folder",
        nargs="?",
        default=Path(__file__).parents[1] / "docs" / "api",
        help="(default: docs/api)",
    )
    folder = parser.parse_args().folder
    make(folder)
    print(f"The reference is in {folder}: open {Path(folder) / 'index.html'}")


if __name__ == "__main__":
    main()
