"""Write the API reference, from the docstrings, by pdoc: python tools/make_docs.py [FOLDER]

A warning, such as of a name that cannot be found, is an error. The pages need no
network.
"""

import argparse
import importlib
import pkgutil
import warnings
from pathlib import Path

import pdoc

HOME = "keras_transformer"


def parts(package):
    """The modules with a page of their own: every folder, every file that a public name comes from, and the app."""
    folders = {
        module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg
    }
    homes = {
        getattr(package, name).__module__.split(".")[1] for name in package.__all__
    }
    return [f"{HOME}.{name}" for name in sorted(folders | homes | {"app"})]


def make(folder):
    """Write one page for the package's public names and one for each part of it; the modules that have one."""
    package = importlib.import_module(HOME)
    # Imported when first used: pdoc looks at what is there.
    for name in package.__all__:
        setattr(package, name, getattr(package, name))
    modules = [HOME, *parts(package)]
    for module in modules:
        importlib.import_module(module)
    pdoc.render.configure(
        docformat="google", footer_text="keras_transformer", show_source=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc(*modules, output_directory=Path(folder))
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
