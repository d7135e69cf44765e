"""What prose says is executed: the blocks of README and docs, docstrings' examples."""

import contextlib
import doctest
import functools
import gzip
import importlib
import inspect
import itertools
import re
import shlex
import shutil
import subprocess
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pair_files
import pytest
import small

import keras_transformer
from keras_transformer.cli.flags import read_toml
from keras_transformer.cli.main import main
from keras_transformer.cli.parser import build_parser
from keras_transformer.config import TrainingConfig, preset
from keras_transformer.data.examples import captions

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = {
    "train": ("train", 2000),
    "valid": ("val", 8),
    "test": ("test", 10),
}  # split -> the pages' name, its lines here
# What docs/documents.md translates, beside the catalogue that it shows, and text of
# one language.
DOCUMENTS = {
    "guide.md": "# Two *dogs*\n\nA man sits. `code`\n",
    "shop.csv": "id,text\n1,Two dogs run.\n",
    "letter.txt": "Two dogs\nrun. A man sits.\n",
    "mono.de": "Zwei Hunde laufen.\nEin Mann sitzt.\n",
    "mono.en": "Two dogs run.\nA man sits.\n",
    "terms.tsv": "boys\tKinder\ngarden\tPark\n",
}
# Whose `sh` blocks tests/distribution/test_launch_page.py runs.
LAUNCH_PAGE = "docs/devices.md"
# What has long tests of its own; here such a command is only spelled right.
TESTED_APART = ("saved_model", "onnx", "kerashub", "tune")
SEARCHING = ("translate", "generate", "evaluate")
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "keras_transformer").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


def blocks(language, text):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def lines(language, text):
    return [
        line
        for block in blocks(language, text)
        for line in block.replace("\\\n", " ").splitlines()
        if line
    ]


# Whose commands are run up to the training, on files that are made for them.
DATA_PAGE = "docs/data.md"
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for page, text in PAGES.items()
    if page != DATA_PAGE
    for line in lines("sh", text)
    if line.startswith("keras-transformer ")
]
FIRST = next(command for command in COMMANDS if command[:2] == ["train", "RUN"])
PYTHON = [page for page, text in PAGES.items() if blocks("python", text)]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The files that the pages name, cut short, and README's RUN, but small."""
    folder = tmp_path_factory.mktemp("begun")
    for split, (name, count) in FILES.items():
        for path, language in zip(captions(split), ("en", "de")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                text = "".join(itertools.islice(lines, count))
            (folder / f"{name}.{language}").write_text(text, encoding="utf-8")
    (catalogue,) = blocks("po", PAGES["docs/documents.md"])
    for name, text in {**DOCUMENTS, "messages.po": catalogue}.items():
        (folder / name).write_text(text, encoding="utf-8")
    few = ["--decoder-layers", "2", "--max-updates", "2"]
    with contextlib.chdir(folder):
        assert main([*FIRST, *small.FLAGS, *few]) == 0
    return folder


@pytest.fixture
def place(begun, tmp_path, monkeypatch):
    """A working directory with all that the pages name."""
    monkeypatch.chdir(shutil.copytree(begun, tmp_path / "place"))
    return tmp_path / "place"


def write_checkpoints(folder):
    """The checkpoints that the pages name."""
    pytest.importorskip("transformers")
    from causal_lm_checkpoints import write
    from checkpoints import complete

    complete(folder / "CHECKPOINT", "marian")
    complete(folder / "MULTILINGUAL", "m2m_100")
    (folder / "GPT").mkdir()
    write(folder / "GPT", "gpt2", n_positions=128)


def write_encoder(folder):
    """The checkpoint of an encoder that a page names."""
    pytest.importorskip("transformers")
    from encoder_checkpoints import word_pieces, write

    folder.mkdir()
    word_pieces(folder)
    write(folder, "Bert", vocab_size=600)


def makes_a_translator(command):
    return "--source" in command and "--init-from" not in command


def test_commands_run(place, capsys):
    write_checkpoints(place)
    done = [FIRST]
    updates = itertools.count(3)
    for command in COMMANDS:
        if command in done:  # on several pages
            continue
        done.append(command)
        if not {command[0], command[-1]}.isdisjoint(TESTED_APART):
            build_parser().parse_args(command)
            continue
        if command[0] == "train":  # the same command, for few updates
            sizes = small.FLAGS if makes_a_translator(command) else []
            command = [*command, *sizes, "--max-updates", str(next(updates))]
        elif command[0] in SEARCHING and "--text" not in command:
            command = [*command, "--extra-length", "3"]
        assert main(command) == 0, (command, capsys.readouterr().err)
    translated = (place / "test.translated").read_text(encoding="utf-8")
    assert len(translated.splitlines()) == 10


def write_downloads(folder):
    """The files that the page about data names, small."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("translate")
    pairs = [(f"A cat sees {n} dogs.", f"Un gato ve {n} perros.") for n in range(60)]
    sides = ["".join(f"{text}\n" for text in side) for side in zip(*pairs)]
    names = ("Books.en-es.en", "Books.en-es.es", "README")
    pair_files.zipped(folder / "en-es.txt.zip", dict(zip(names, [*sides, "OPUS"])))
    pair_files.write(folder / "memory.tmx", pair_files.TMX)
    pair_files.write(folder / "en-es.tmx.gz", pair_files.TMX)
    (folder / "jobs").mkdir()
    pair_files.write(folder / "jobs" / "a.xlf", pair_files.XLIFF)
    pair_files.tarred(folder / "po.tar.xz", {"es/a.po": pair_files.PO})
    tatoeba = [("1", source, "2", target) for source, target in pairs]
    pair_files.write(folder / "pairs.tsv", pair_files.lines(tatoeba))
    anki = [(*pair, "CC-BY") for pair in pairs]
    pair_files.write(folder / "spa.txt", pair_files.lines(anki))
    pair_files.zipped(
        folder / "spa-eng.zip", {"spa-eng/spa.txt": pair_files.lines(pairs)}
    )
    for name in ("train.parquet", "valid.parquet"):
        parquet.write_table(
            pa.Table.from_pylist(pair_files.translations()), folder / name
        )
    rows = [dict(zip(("text", "translated"), pair)) for pair in pairs]
    pair_files.write(folder / "lines.jsonl.gz", pair_files.json_lines(rows))
    pair_files.write(folder / "sheet.csv", pair_files.csv([("en", "es"), *pairs]))
    for name in ("news", "talks"):
        for language in ("en", "de"):
            shutil.copy(folder / f"train.{language}", folder / f"{name}.{language}")


def test_data_page(place, capsys, monkeypatch):
    write_downloads(place)
    prepared = []
    monkeypatch.setattr(
        "keras_transformer.training.train.fit", lambda run, *rest: prepared.append(run)
    )
    for line in lines("sh", PAGES[DATA_PAGE]):
        command = shlex.split(line, comments=True)[1:]
        assert main(command) == 0, (command, capsys.readouterr().err)
    languages = {run.path.name: run.config.languages for run in prepared}
    assert languages["BOOKS"] == ["en", "es"] and languages["DATASET"] == ["es", "en"]
    assert languages["OWN"] == ["en", "de"]
    assert all((run.path / "data" / "valid").is_dir() for run in prepared)
    assert len((place / "clean.en").read_text().splitlines()) == 60


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_sh_blocks_is_run(page):
    for line in lines("sh", PAGES[page]):
        if line.startswith("make "):
            subprocess.run(
                ["make", "--dry-run", line.split()[1]],
                cwd=ROOT,
                check=True,
                capture_output=True,
            )
        else:
            assert line.startswith("keras-transformer ") or page == LAUNCH_PAGE, line


def test_commands_of_console_blocks_are_spelled_right():
    commands = [line for text in PAGES.values() for line in lines("console", text)]
    assert len(commands) >= 4
    for command in commands:
        if "keras-transformer " in command:
            build_parser().parse_args(
                shlex.split(command.partition("keras-transformer ")[2])
            )
        elif command.startswith("python -m benchmarks."):
            name = command.split()[2].replace(".", "/")
            assert (ROOT / f"{name}.py").is_file(), command
        else:
            expected = ('pip install -e ".[', "python3 -m venv ")
            assert command.startswith(expected), command


@pytest.mark.parametrize("page", PYTHON)
def test_python_runs(page, place, capsys, monkeypatch):
    def cut(split):
        return [f"{FILES[split][0]}.{language}" for language in ("en", "de")]

    shorter = {
        "TrainingConfig": functools.partial(TrainingConfig, max_updates=2),
        "captions": cut,
        "preset": functools.partial(preset, encoder_layers=1, decoder_layers=1),
    }
    for name, stand_in in shorter.items():
        monkeypatch.setattr(keras_transformer, name, stand_in, raising=False)
    if "CHECKPOINT" in "".join(blocks("python", PAGES[page])):
        write_checkpoints(place)
    if "BERT" in "".join(blocks("python", PAGES[page])):
        write_encoder(place / "BERT")
    for block in blocks("python", PAGES[page]):
        exec(compile(block, page, "exec"), {})
    assert "BLEU" in capsys.readouterr().out or page != "README.md"


def test_toml_is_a_config(tmp_path):
    (block,) = (block for text in PAGES.values() for block in blocks("toml", text))
    (tmp_path / "run.toml").write_text(block, encoding="utf-8")
    assert read_toml(str(tmp_path / "run.toml")) == tomllib.loads(block)


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(link).exists(), link
    for module in re.findall(r"python -m benchmarks\.(\w+)", text):
        assert (ROOT / "benchmarks" / f"{module}.py").is_file(), module
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]["optional-dependencies"]
    named = ",".join(re.findall(r'"\.\[([\w,]+)\]"', text))
    assert {*filter(None, named.split(","))} <= {*extras}


def section(title, text=CONTRIBUTING):
    return re.search(
        rf"^## {title}\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE
    )[1]


def test_the_tree_is_the_tree():
    (block,) = blocks("", section("The tree"))
    shown = {
        line.split()[0].rstrip("/")
        for line in block.splitlines()
        if line.startswith("  ")
    }
    home = ROOT / "keras_transformer"
    assert shown == {path.name for path in home.iterdir() if path.name != "__pycache__"}
    assert all(
        (ROOT / line.split()[0]).is_dir()
        for line in block.splitlines()
        if not line.startswith("  ")
    )


def test_tables_name_what_is_there():
    table = section("From the paper to the code", PAGES["docs/layers.md"])
    for row in table.splitlines():
        files, names = (
            (re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[2:4])
            if row
            else ([], [])
        )
        text = "".join(
            (ROOT / "keras_transformer" / file).read_text(encoding="utf-8")
            for file in files
        )
        assert all(re.search(rf"(class|def) {name}\b", text) for name in names), row
    for row in section("What is tested on which backend").splitlines():
        for file in re.findall(r"`([^`]+)` \|$", row):
            assert (ROOT / "tests" / file).exists(), row


def test_every_notebook_is_on_a_page():
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert any(f"notebooks/{notebook.name})" in text for text in PAGES.values()), (
            notebook.name
        )


def test_contributing_is_true():
    text = CONTRIBUTING
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {}
    exec(compile(textwrap.dedent(block), "CONTRIBUTING.md", "exec"), names)
    names["test_layer_checks"]()
    for target in sorted(set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE))):
        subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True
        )
    for path in re.findall(r"tests/[\w/]+\.py", text):
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    public = keras_transformer.__all__
    names = {name: getattr(keras_transformer, name) for name in public}
    result = doctest.testmod(
        module,
        extraglobs={"np": np, **names, **vars(module)},
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert result.failed == 0


def test_every_public_name_is_documented_and_used():
    paths = [
        *(ROOT / "notebooks").glob("*.ipynb"),
        *(ROOT / "keras_transformer" / "cli").glob("*.py"),
    ]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    shown = "".join([*PAGES.values(), *texts])
    for home in (
        keras_transformer,
        keras_transformer.export,
        keras_transformer.kerashub,
        keras_transformer.plots,
        keras_transformer.pretrained,
    ):
        for name in home.__all__:
            assert inspect.getdoc(getattr(home, name)), f"{name} has no docstring"
            found = re.search(rf"\b{name}\b", shown)
            assert found, f"{name} is public and shown nowhere"
