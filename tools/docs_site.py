"""What mkdocs calls while it builds the site: README as its home, and the reference.

The reference has every public name, in the order of the package's stubs.
"""

import ast
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PACKAGE = "keras_transformer"
# A link to what is no page of the site: a notebook, an example, CONTRIBUTING.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./|examples/|CONTRIBUTING)[^)]*\)")


def on_files(files, config):
    """Add the pages that are made: the home and the reference."""
    readme = (ROOT / "README.md").read_text("utf-8")
    made = {"index.md": readme.replace("](docs/", "]("), "reference.md": reference()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown, **others):
    """Leave the text alone of a link that leads out of the site."""
    return OUTSIDE.sub(r"\1", markdown)


def reference():
    """The page of all public names, one heading a folder of the package."""
    lines = ["# Reference"]
    part = None
    for module, name in public_names():
        if module.split(".")[1] != part:
            part = module.split(".")[1]
            lines.append(f"## {part}")
        lines.append(f"::: {module}.{name}\n    options:\n      heading_level: 3")
        if part == "config":  # its fields are explained by their help
            lines[-1] += "\n      show_if_no_docstring: true"
    return "\n\n".join(lines)


def public_names():
    """Each public name and the module that defines it."""
    for stub in sorted((ROOT / PACKAGE).rglob("__init__.pyi")):
        folder = stub.parent.relative_to(ROOT)
        for node in ast.parse(stub.read_text("utf-8")).body:
            if node.module:  # otherwise a folder with a stub of its own
                module = ".".join([*folder.parts, node.module])
                yield module, node.names[0].name
