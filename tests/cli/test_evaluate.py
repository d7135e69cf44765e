import json

from keras_transformer.cli import main as cli


def test_scores_as_text_and_as_json(run, main):
    files = ("--source", run.parent / "valid.en", "--target", run.parent / "valid.de")
    search = ("--beam", "2", "--extra-length", "2")
    text = main("evaluate", run, *files, *search)
    found = json.loads(main("evaluate", run, *files, "--json", *search))
    scores = {"bleu", "bleu_signature", "chrf", "chrf_signature"}
    assert found.keys() == scores | {"sentences", "sentences_per_second"}
    assert found["sentences"] == 8 and found["sentences_per_second"] > 0
    assert f"BLEU {found['bleu']:.2f} ({found['bleu_signature']})" in text
    assert "8 sentences, " in text


def test_the_tokenisation_is_chosen_or_given(run, tmp_path, capsys):
    (tmp_path / "test.tsv").write_text("A man.\t一个男人在街上骑自行车。\n", "utf-8")
    command = ["evaluate", str(run), "--source", str(tmp_path / "test.tsv")]
    command += ["--beam", "2", "--extra-length", "2", "--json"]
    for flags, expected, word in (
        ([], "zh", "BLEU's tokenisation is zh, for the script of the references"),
        (["--bleu-tokenize", "char"], "char", ""),
    ):
        assert cli.main([*command, *flags]) == 0
        out, err = capsys.readouterr()
        assert f"tok:{expected}|" in json.loads(out)["bleu_signature"]
        assert err.partition(";")[0].strip() == word


def test_files_that_are_swapped_or_the_same(run, capsys):
    source = str(run.parent / "valid.en")
    target = str(run.parent / "valid.de")
    command = ["evaluate", str(run), "--beam", "2", "--extra-length", "2"]
    assert cli.main([*command, "--source", target, "--target", source]) == 0
    said = "warning: source and target seem to be swapped: words found in the training"
    assert said in capsys.readouterr().err
    assert cli.main([*command, "--source", source, "--target", source]) == 2
    said = "--source and --target must be in two languages, not the same text; received"
    assert said in capsys.readouterr().err
