"""Commands of a language model: train --text, generate, evaluate --text."""

import io
import json
import sys

import pytest

from keras_transformer.cli.main import main

SIZES = "--num-layers 1 --d-model 16 --d-ff 16 --num-heads 2 --vocab-size 200"
RECIPE = "--batch-tokens 400 --max-length 24 --epochs 2 --max-updates 4"
FLAGS = f"{SIZES} {RECIPE}".split()


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    path = tmp_path_factory.mktemp("generate") / "run"
    files = ["--text", str(corpus[0]), str(corpus[2]), "--valid-text", str(corpus[2])]
    assert main(["train", str(path), *files, *FLAGS]) == 0
    return str(path)


def said(capsys, *arguments):
    assert main([*arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


def refused(capsys, *arguments):
    assert main([*arguments]) == 2
    return capsys.readouterr().err


def test_generate(run, tmp_path, monkeypatch, capsys):
    few = ["--extra-length", "3"]
    capsys.readouterr()
    one, other = said(capsys, "generate", run, "A man", "Two girls", *few)
    assert one.startswith("A man") and other.startswith("Two girls")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("A man\n\nTwo girls\n")
    out = tmp_path / "out.txt"
    files = ["--input", str(prompts), "--output", str(out)]
    said(capsys, "generate", run, *files, *few)
    lines = out.read_text().splitlines()
    assert len(lines) == 3 and [lines[0], lines[2]] == [one, other]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A man\n")))
    assert said(capsys, "generate", run, *few) == [one]
    sampled = ["--search", "sampling", "--n-best", "2", "--token-scores"]
    rows = said(capsys, "generate", run, "A man", *sampled, *few)
    assert [row.split("\t")[0] for row in rows] == ["1", "1"]
    assert all(len(row.split("\t")) == 4 for row in rows)


def test_perplexity(run, corpus, capsys):
    capsys.readouterr()
    line, tokens = said(capsys, "evaluate", run, "--text", str(corpus[2]))
    assert line.startswith("perplexity ") and tokens.endswith(" tokens")
    (line,) = said(capsys, "evaluate", run, "--text", str(corpus[2]), "--json")
    scores = json.loads(line)
    assert sorted(scores) == ["nats", "perplexity", "tokens"]
    twice = ["--text", str(corpus[2]), "--text", str(corpus[2])]
    (line,) = said(capsys, "evaluate", run, *twice, "--json")
    assert json.loads(line)["tokens"] == 2 * scores["tokens"]
    found = said(capsys, "info", run)
    assert any("keras-transformer generate RUN" in row for row in found)
    exports = json.loads(said(capsys, "info", run, "--json")[0])["exports"]
    assert exports["keras"] == "yes"
    assert exports["huggingface"].startswith("no: ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("generate RUN a --stop zz", "--stop must be tokens of the vocabulary"),
        ("generate TRAINED a", "must hold a language model; received 'Transformer'"),
        ("translate RUN a", "must hold a translation model; received 'CausalLM'"),
        ("evaluate RUN --source TEXT --target TEXT2", "must hold a translation model"),
        ("evaluate TRAINED --text TEXT", "must hold a language model"),
        (
            "evaluate RUN --text TEXT --beam 2",
            "--text must stand without flags of translation; received ['beam']",
        ),
        (
            "evaluate RUN --text TEXT --bleu-tokenize zh --runtime ctranslate2",
            "without flags of translation; received ['bleu_tokenize', 'runtime']",
        ),
        ("translate RUN --bulk --input TEXT --output OUT", "must hold a translation"),
        (
            "train OUT --text TEXT --encoder-layers 2",
            "--encoder-layers must be absent for a CausalLMConfig; received 2",
        ),
        (
            "train OUT --source TEXT --target TEXT2 --num-layers 2",
            "--num-layers must be absent for a TransformerConfig; received 2",
        ),
        (
            "train OUT --text TEXT --source TEXT",
            "--text must stand without files of pairs; received ['source']",
        ),
        ("train OUT --valid-text TEXT", "--valid-text must be absent without --text"),
        (
            "train OUT --source TEXT --target TEXT2 --valid-text TEXT",
            "--valid-text must be absent without --text",
        ),
        (
            "train OUT --text TEXT --from en",
            "--text must stand without files of pairs; received ['source_language']",
        ),
        ("train OUT --text TEXT --patience 2", "--patience must be absent without"),
        ("train OUT --text TEXT --max-ratio 2", "--max-ratio must be absent with"),
        ("export RUN OUT --to huggingface", "scale_embedding must be False for gpt2"),
    ],
)
def test_refusals(run, trained, corpus, tmp_path, capsys, arguments, message):
    places = dict(RUN=run, TRAINED=trained, TEXT=corpus[0], TEXT2=corpus[1])
    places["OUT"] = tmp_path / "out"
    words = [str(places.get(word, word)) for word in arguments.split()]
    assert message in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_a_settings_file(corpus, tmp_path, capsys):
    (tmp_path / "run.toml").write_text(
        f'text = ["{corpus[0]}"]\n'
        "[model]\nnum_layers = 1\nd_model = 16\nd_ff = 16\nnum_heads = 2\n"
        "[data]\nvocab_size = 200\nbatch_tokens = 400\n"
        "[training]\nepochs = 1\nmax_updates = 1\n"
    )
    run = str(tmp_path / "run")
    assert main(["train", run, "--config", str(tmp_path / "run.toml")]) == 0
    capsys.readouterr()
    (line,) = said(capsys, "info", run, "--json")
    assert json.loads(line)["settings"]["model"]["num_layers"] == 1
    (tmp_path / "run.toml").write_text("text = 3\n")
    wrong = refused(capsys, "train", run, "--config", str(tmp_path / "run.toml"))
    assert "text must be a string; received 3" in wrong
    (tmp_path / "run.toml").write_text("text = [3]\n")
    wrong = refused(capsys, "train", run, "--config", str(tmp_path / "run.toml"))
    assert "text must be a list of strings; received [3]" in wrong
