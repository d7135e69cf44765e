"""What a command refuses, with the flag; and what it takes."""

import json

import pytest

from keras_transformer.cli import main as cli
from keras_transformer.cli.parser import parse
from keras_transformer.cli.translate import start_worker, with_prefixes
from keras_transformer.config import DecodingConfig
from keras_transformer.runs.sealed_files import seal


@pytest.mark.parametrize(
    "command, message",
    [
        ("translate RUN A --temperature 0.5", "--temperature must be absent without"),
        ("translate RUN A --seed 0", "--seed must be absent without --search sampling"),
        ("translate RUN A --search sampling --beam 4", "--beam must be absent without"),
        ("translate RUN A --search greedy --penalty gnmt", "--penalty must be absent"),
        ("translate RUN A --n-best 5", "--n-best must be at most 4 with --search beam"),
        ("translate RUN A --beam 0", "--beam must be between 1 and 1000; received 0"),
        ("translate RUN A --workers 2", "--workers must be absent without --bulk"),
        ("translate RUN A --bulk", "TEXT must be absent with --bulk"),
        ("translate RUN --bulk --prefix-file A", "--prefix-file must be absent with"),
        ("translate RUN A --prefix B --prefix-file C", "--prefix must be absent with"),
        ("evaluate RUN --source A --n-best 2", "--n-best must be absent without"),
        ("export RUN A --to onnx --quantization int8", "--to must be ctranslate2 or"),
        (
            "export RUN A --to saved_model --search greedy --beam 8",
            "--beam must be absent without --search beam; received 8",
        ),
        (
            "export RUN A --to onnx --xla",
            "--to must be saved_model with --xla; received",
        ),
        ("train NEW --source A --model-devices 2", "--model-devices must be absent"),
        ("train NEW --target A", "--target must be absent without --source"),
        ("train NEW --pairs none.po", "--pairs must be a file or a folder that exists"),
        ("train NEW --pairs PAIRS.txt", "--pairs must be a file or a folder that"),
        ("train NEW --source none.po", "--source must be a file or a folder that exi"),
        (
            "train NEW --source PAIRS --patience 2 --valid-size 0",
            "--patience must be absen",
        ),
        ("train NEW --source A B --pairs C", "--pairs must be absent with --source"),
        (
            "train NEW --pairs PAIRS --columns a",
            "--columns must be two names; received",
        ),
        ("evaluate RUN --target A", "--target must be absent without --source and --p"),
        (
            "evaluate RUN --from de",
            "--from must be absent without --source and --pairs",
        ),
        (
            "clean PAIRS NEW --no-drop-lengths --max-characters 9",
            "--max-characters must",
        ),
        (
            "train NEW --pairs PAIRS --valid-pairs PAIRS --valid-size 2",
            "--valid-size must be absent with validation files; received 2",
        ),
        ("clean NEW", "INPUT must be given; received []"),
        ("clean PAIRS A.po", "OUTPUT must be a .tsv or .jsonl file, or a name for two"),
        ("clean PAIRS no/A.tsv", "OUTPUT must be in an existing directory; received"),
        ("clean PAIRS A", "--from and --to must be given to name two text files"),
        ("clean PAIRS A.tsv --drop-language", "--from and --to must be given with"),
        ("train NEW --source PAIRS --bleu-tokenize zh", "--bleu-tokenize must be abse"),
    ],
)
def test_refused(run, command, message, tmp_path, capsys):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("a man\tein Mann\n" * 9)
    places = {"RUN": str(run), "PAIRS": str(pairs)}
    words = [places.get(word, word) for word in command.split()]
    assert cli.main(words) == 2
    assert f"error: {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["translate", "RUN", "--input", ""], "--input must not be empty; received ''"),
        (["train", "NEW", "--source", "A", ""], "--source must not be empty; rec"),
        (["translate", "RUN", "A", "--glossary="], "--glossary must not be empty"),
    ],
)
def test_a_path_of_a_variable_that_is_not_set_is_refused(words, message, capsys):
    assert cli.main(words) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_an_empty_text_is_no_run(run, main, monkeypatch):
    monkeypatch.chdir(run)
    assert main("translate", ".", "") == "\n"


def test_a_mistyped_run(run, capsys):
    assert cli.main(["translate", f"{run}n", "A"]) == 2
    assert f"no run at '{run}n'; did you mean '{run}'?" in capsys.readouterr().err


def test_python_names_arguments():
    with pytest.raises(ValueError, match="^top_k must be absent without search='samp"):
        DecodingConfig(top_k=3)
    assert DecodingConfig(search="greedy", beam=2).beam == 2
    assert DecodingConfig(search="sampling", seed=3).seed == 3


def test_the_runtime_of_a_run_is_keras(run):
    assert parse(["translate", str(run)]).runtime == "keras"


def test_prefixes(run, main, tmp_path):
    begun = ["translate", run, "A man.", "Two dogs.", "--extra-length", 4]
    rows = main(*begun, "--prefix", "Ein Mann").splitlines()
    assert all(row.startswith("Ein Mann") for row in rows)
    wishes = tmp_path / "wishes"
    wishes.write_text("Ein Mann\n\n")
    free = main(*begun).splitlines()
    found = main(*begun, "--prefix-file", wishes).splitlines()
    assert found == [rows[0], free[1]]


def test_as_many_prefixes_as_sentences(run, tmp_path, capsys):
    (tmp_path / "wishes").write_text("Ein\n")
    command = ["translate", str(run), "A", "B", "--prefix-file"]
    assert cli.main([*command, str(tmp_path / "wishes")]) == 2
    expected = "--prefix-file must have a line for each of the 2 sentences; received 1"
    assert expected in capsys.readouterr().err


def test_a_prefix_in_bulk(run):
    command = ["translate", str(run), "--bulk", "--prefix", "Ein Mann"]
    options = parse([*command, "--extra-length", "4"])
    texts_of = start_worker(options, "torch")
    texts = texts_of(["A man.", "Two dogs."], 1)
    assert len(texts) == 2
    assert all(text.startswith("Ein Mann") for text in texts)


def test_a_list_with_a_prefix_stays_one_that_can_be_sorted():
    options = parse(["translate", "RUN", "--prefix", "Ein"])
    assert with_prefixes(options, ["A", "B"]) == (["A", "B"], ["Ein", "Ein"])


def test_exports_choose_their_runtime(run, main, tmp_path, capsys):
    pytest.importorskip("ctranslate2")
    out = str(tmp_path / "out")
    main("export", run, out, "--to", "ctranslate2")
    assert parse(["evaluate", out, "--source", "a"]).runtime == "ctranslate2"
    assert parse(["app", out]).runtime == "ctranslate2"
    assert parse(["translate", out, "--runtime", "keras"]).runtime == "keras"
    assert cli.main(["translate", str(run), "A", "--runtime", "ctranslate2"]) == 2
    expected = "RUN must be an export to CTranslate2 with --runtime ctranslate2; rec"
    assert expected in capsys.readouterr().err
    assert cli.main(["translate", out, "A", "--prefix", "Ein"]) == 2
    expected = "--prefix must be absent without --runtime keras; received 'Ein'"
    assert expected in capsys.readouterr().err
    assert cli.main(["translate", out, "A", "--search", "greedy", "--beam", "8"]) == 2
    expected = "--beam must be absent without --search beam; received 8"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("format", ["saved_model", "onnx", "huggingface"])
def test_an_export_of_another_format_says_what_opens_it(tmp_path, capsys, format):
    config = {"made_with": "0.0", "format": format}
    (tmp_path / "config.json").write_text(json.dumps(config))
    seal(tmp_path)
    for command in ("translate", "app"):
        assert cli.main([command, str(tmp_path)]) == 2
        said = f"is an export of one, as {format}: its README.md says what opens it\n"
        assert said in capsys.readouterr().err
