"""Make and run the notebooks: python tools/make_notebooks.py [NAME ...]

A source, `notebooks/sources/NAME.py`, is Python in cells: `# %%` begins a cell of code,
`# %% [markdown]` one of text in comments; a commented line magic, `# %matplotlib
inline`, is one in the notebook. Without a name, all are made.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"


def names():
    return sorted(path.stem for path in (FOLDER / "sources").glob("*.py"))


def notebook_of(name):
    """The notebook that a source says, not yet run."""
    text = (FOLDER / "sources" / f"{name}.py").read_text(encoding="utf-8")
    cells = []
    for number, part in enumerate(
        re.split(r"^# %%", text, flags=re.MULTILINE)[1:], start=1
    ):
        kind, _, body = part.partition("\n")
        body = body.strip("\n")
        if kind.strip() == "[markdown]":
            body = "\n".join(
                line.removeprefix("#").removeprefix(" ") for line in body.splitlines()
            )
            cells.append(nbformat.v4.new_markdown_cell(body, id=f"cell-{number}"))
        else:
            body = re.sub(r"^# (%\w)", r"\1", body, flags=re.MULTILINE)
            cells.append(nbformat.v4.new_code_cell(body, id=f"cell-{number}"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={"kernelspec": kernel, "language_info": {"name": "python"}},
    )


def run(notebook, folder, timeout=600):
    """Run a notebook from top to bottom in a folder; it holds the outputs then.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        coalesce_streams=True,  # what a bar has written over is not kept
        resources={"metadata": {"path": folder}},
    ).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            # What libraries write to standard error is about the machine, not about the
            # subject.
            cell.outputs = [
                output for output in cell.outputs if output.get("name") != "stderr"
            ]
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"among {', '.join(names())}"
    )
    for name in parser.parse_args().names or names():
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            notebook = run(notebook_of(name), folder)
        nbformat.write(notebook, FOLDER / f"{name}.ipynb")
        print(f"{name}: {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
