"""What `translate` reads and writes."""

import inspect
import io

import keras

from keras_transformer.cli import main as cli
from keras_transformer.models.decoder import Decoder

SEARCH = ["--beam", "2", "--extra-length", "2"]
SENTENCES = ["A man sits.", "", "Two dogs run."]


def test_arguments(run, main):
    both = main("translate", run, "A man sits.", *SEARCH, "Two dogs run.").splitlines()
    assert len(both) == 2
    assert main("translate", run, *SEARCH, "Two dogs run.").splitlines() == both[1:]


def test_files_and_standard_input(run, main, tmp_path, monkeypatch):
    source = tmp_path / "in.txt"
    source.write_text("\n".join(SENTENCES))
    files = ["--input", source, "--output", tmp_path / "out.txt"]
    assert main("translate", run, *files, *SEARCH) == ""
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 4 and lines[1] == lines[3] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]

    for typed in (False, True):
        stdin = io.TextIOWrapper(io.BytesIO("\n".join(SENTENCES).encode()))
        stdin.isatty = lambda typed=typed: typed
        monkeypatch.setattr("sys.stdin", stdin)
        assert main("translate", run, *SEARCH).split("\n") == lines


def test_n_best(run, main):
    out = main("translate", run, "A man sits.", "", "--n-best", 2, *SEARCH)
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["1", "1", "2"] and rows[2][2] == ""
    assert float(rows[0][1]) >= float(rows[1][1])


def test_alignments_and_token_scores_are_columns(run, main):
    columns = ["--alignments", "--token-scores", *SEARCH]
    rows = main("translate", run, "A man sits.", "", "Dogs run.", *columns).split("\n")
    assert rows[1:] == ["\t\t", rows[2], ""]
    for row, words in ((rows[0], 3), (rows[2], 2)):
        text, links, tokens = row.split("\t")
        pairs = [[int(number) for number in link.split("-")] for link in links.split()]
        targets = sorted(target for _, target in pairs)
        assert targets == list(range(len(text.split())))
        assert all(0 <= source < words for source, _ in pairs)
        assert all(float(token.rpartition(":")[2]) < 0 for token in tokens.split(" "))
    out = main("translate", run, "A man sits.", "--alignments", "--n-best", 2, *SEARCH)
    assert [len(row.split("\t")) for row in out.splitlines()] == [4, 4]


def test_alignments_need_keras(run, capsys):
    flags = ["--alignments", "--runtime", "ctranslate2"]
    assert cli.main(["translate", str(run), "A", *flags]) == 2
    expected = "--alignments must be absent without --runtime keras; received True"
    assert expected in capsys.readouterr().err


def test_a_long_sentence_is_cut_with_a_warning(run, capsys):
    flags = ["--max-source-length", "6", *SEARCH]
    assert cli.main(["translate", str(run), "A man sits. " * 5, *flags]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and err.count("\n") == 1
    warning = "keras-transformer: warning: cut to 6 tokens: 1 of 1 sentences"
    assert err.startswith(warning)


# From the command to `Decoder.step`, both counted; the other backends have a function
# of ours around what they compile. One, `answer`, is there for `generate` too.
MOST_FRAMES = {"torch": 10, "tensorflow": 11, "jax": 12}


def test_few_functions_lie_between_the_command_and_the_decoder(main, run, monkeypatch):
    found = []
    step = Decoder.step

    def noted(*arguments, **options):
        stack = inspect.stack(context=0)[1:]
        ours = [frame for frame in stack if "/keras_transformer/" in frame.filename]
        found.append([frame.function for frame in ours])
        return step(*arguments, **options)

    monkeypatch.setattr(Decoder, "step", noted)
    main("translate", run, "A man.", *SEARCH)
    functions = ["step", *found[0]]
    assert functions[-2:] == ["run", "main"], functions
    assert len(functions) <= MOST_FRAMES[keras.backend.backend()], functions


def test_a_glossary_is_obeyed_in_sentences_files_and_scores(run, main, tmp_path):
    (tmp_path / "terms.tsv").write_text("dogs\tHund\nman\tKind\n", encoding="utf-8")
    (tmp_path / "a.po").write_text('msgid "A man."\nmsgstr ""\n', encoding="utf-8")
    few = ["--search", "greedy", "--extra-length", "4"]
    flags = ["--glossary", tmp_path / "terms.tsv", *few]
    first, second = main("translate", run, *SENTENCES[::2], *flags).splitlines()
    assert "Kind" in first.replace(".", " ").split()
    assert "Hund" in second.replace(".", " ").split()
    files = ["--input", tmp_path / "a.po", "--output", tmp_path / "b.po"]
    assert main("translate", run, *files, *flags) == ""
    assert "Kind" in (tmp_path / "b.po").read_text(encoding="utf-8")
    (tmp_path / "pair.tsv").write_text("A man.\tEin Mann.\n", encoding="utf-8")
    pairs = ["--pairs", tmp_path / "pair.tsv"]
    assert "BLEU" in main("evaluate", run, *pairs, *flags)


def test_a_glossary_that_cannot_be_used_writes_nothing(run, tmp_path, capsys):
    (tmp_path / "terms.tsv").write_text("dogs\n", encoding="utf-8")
    (tmp_path / "in.txt").write_text("dogs\n", encoding="utf-8")
    terms = ["--glossary", str(tmp_path / "terms.tsv")]
    files = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out")]
    must = "terms.tsv, line 1, must be a source term and a target term; received"
    without = "--glossary must be absent without --runtime keras; received"
    for flags, message in (
        ([], must),
        (["--search", "sampling"], "--glossary must be absent with --search sampling"),
        (["--runtime", "ctranslate2"], without),
    ):
        assert cli.main(["translate", str(run), *terms, *files, *flags]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
