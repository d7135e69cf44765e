"""Files that appear whole or not at all."""

import contextlib
import os
import shutil
from pathlib import Path


@contextlib.contextmanager
def written_aside(path):
    """Give a name beside `path` to write to; it becomes `path` when the block ends well, and goes away otherwise."""
    path = Path(path)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield aside
        if not path.is_dir():
            os.replace(aside, path)
        else:  # a directory takes the place of an empty one only
            replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced")
            os.replace(path, replaced)
            os.replace(aside, path)
            shutil.rmtree(replaced)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)
