"""The wheel: all that is not Python is in it, and it works without the clone."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import keras
import pytest

pytest.importorskip("build", reason="the extra `dev` is not installed")
pytest.importorskip("twine", reason="the extra `dev` is not installed")
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "keras_transformer"
BUILT = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What `python -m build` makes of a copy of the clone: `.whl` and `.tar.gz`."""
    copy = tmp_path_factory.mktemp("clone")
    shutil.copytree(PACKAGE, copy / PACKAGE.name)
    for name in BUILT:
        shutil.copy(ROOT / name, copy)
    run("build", "--no-isolation", copy)
    return sorted((copy / "dist").iterdir())


def run(module, *arguments, python=sys.executable, **options):
    command = [python, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_index_would_take_it(built):
    assert "PASSED" in run("twine", "check", "--strict", *built)


def test_every_file_is_in_it(built):
    wheel, source = built
    ours = [path for path in PACKAGE.rglob("*") if path.is_file()]
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in ours
        if path.parent.name != "__pycache__"
    }
    assert {".gz", ".json", ".md", ".py", ".pyi", ".typed"} <= {
        path.suffix for path in ours
    }
    assert expected <= {*zipfile.ZipFile(wheel).namelist()}
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert expected <= names


FILES = """
import gzip
from keras_transformer import captions
for split in ("train", "valid"):
    for path in captions(split):
        lines = gzip.open(path, "rt").read().splitlines()[:200]
        open(path.stem, "w").write("\\n".join(lines))
"""
TRAIN = (
    "train run --source train.en --target train.de --valid-source valid.en "
    "--valid-target valid.de --encoder-layers 1 --decoder-layers 1 --d-model 16 "
    "--d-ff 16 --num-heads 2 --vocab-size 200 --max-updates 2 --epochs 1"
)


@pytest.mark.slow
def test_it_works_installed_and_outside_of_the_clone(built, tmp_path):
    """In an environment of its own, with this one's other packages."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    (packages,) = (tmp_path / "env").glob("lib/*/site-packages")
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    environment.pop("PYTHONPATH", None)
    offline = ("install", "--no-deps", "--no-index", built[0])
    run("pip", *offline, python=python, env=environment)
    (packages / "others.pth").write_text(str(Path(keras.__file__).parents[1]))
    place = tmp_path / "place"
    place.mkdir()
    command = tmp_path / "env" / "bin" / "keras-transformer"
    where = dict(cwd=place, env=environment, capture_output=True, text=True)
    subprocess.run([python, "-c", FILES], check=True, **where)
    for arguments in (TRAIN, "translate run A --extra-length 2", "info run", "demo -h"):
        done = subprocess.run([command, *arguments.split()], **where)
        assert done.returncode == 0, done.stderr
    said = "import keras_transformer as k; print(k.__file__)"
    done = subprocess.run([python, "-c", said], **where)
    assert done.stdout.startswith(str(packages)), done.stderr
