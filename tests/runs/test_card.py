"""The card of a run: what it knows, when it is renewed, what it keeps."""

import dataclasses
import json
import shutil

import pytest
from small import DATA, MODEL, training

from keras_transformer.runs.card import card, facts, outline, write_card
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.train import train

TEXTS = ["a man rides a bike", "ein Mann fährt Rad"]
SCORES = {"bleu": 12.5, "bleu_signature": "nrefs:1|tok:13a"}


def begun(folder, **options):
    """A run that was never trained."""
    tokenizer = Tokenizer.train(TEXTS, 40)
    sizes = dict(source_vocab_size=40, target_vocab_size=40)
    model = dataclasses.replace(MODEL, **sizes)
    config = RunConfig(model, DATA, training(), **options)
    folder.mkdir()
    return Run.begin(folder, config, (tokenizer, tokenizer))


@pytest.fixture
def run(trained, tmp_path):
    return Run.open(shutil.copytree(trained, tmp_path / "run"))


def test_what_a_trained_run_knows(run):
    found = facts(run)
    report = "kept 200 of 200 pairs; dropped 0: 0 empty, 0 too long, 0 of unlikely"
    assert found["data"]["train"].startswith(report)
    assert found["data"]["valid"].startswith("kept 8 of 8 pairs")
    assert (found["data"]["max_length"], found["data"]["max_ratio"]) == (128, 4.0)
    assert found["parameters"] == run.model().count_params()
    assert found["settings"]["model"]["d_model"] == 16
    sizes = dict(vocab_size=200, batch_tokens=800, valid_size=0)
    assert found["settings"]["data"] == sizes
    best = min(run.log, key=lambda row: row["val_nats"])
    assert found["training"] == {"epochs": 2, "best epoch": best}
    text = (run.path / "README.md").read_text("utf-8")
    first = '---\npipeline_tag: translation\nlanguage: ["en", "de"]\n---\n'
    assert text.startswith(first)
    assert f"\n- parameters: {found['parameters']:,}\n" in text
    assert f"    - val_nats: {best['val_nats']:.6g}\n" in text
    assert "- It has seen no sentence of more than 128 tokens" in text
    assert 'keras-transformer translate RUN "A sentence."' in text and "$" not in text


@pytest.mark.parametrize("monitor, epoch", [("bleu", 2), ("loss", 1)])
def test_the_best_epoch_is_that_of_the_monitor(run, monitor, epoch):
    rows = [
        {"epoch": 1, "nats": 3.0, "val_nats": 1.0, "val_bleu": 2.0},
        {"epoch": 2, "nats": 1.0, "val_nats": 2.0, "val_bleu": 3.0},
        {"epoch": 3, "nats": 2.0, "val_nats": 3.0, "val_bleu": 3.0},
        {"epoch": 4},
    ]
    text = "\n".join(map(json.dumps, rows))
    (run.path / "log.jsonl").write_text(text)
    config = dataclasses.replace(run.config.training, monitor=monitor)
    run.config = dataclasses.replace(run.config, training=config)
    assert facts(run)["training"]["best epoch"]["epoch"] == epoch


def test_the_card_is_there_before_the_first_epoch(tmp_path):
    run = begun(tmp_path / "run", languages=["en", "de"])
    text = (run.path / "README.md").read_text("utf-8")
    assert "# A translator: en to de\n" in text and 'language: ["en", "de"]\n' in text
    assert "training:" not in text.replace("  - training:", "")
    assert "README.md" not in run.manifest.sums


def test_an_imported_run_says_where_it_is_from(tmp_path):
    origin = {"source": "a/checkpoint", "revision": "abc", "files": {"x": "12"}}
    text = card(begun(tmp_path / "run", origin=origin))
    assert "- origin:\n  - source: a/checkpoint\n  - revision: abc\n" in text
    assert "limits of its origin hold" in text and "has seen no" not in text
    assert "- data:" not in text.split("- settings:")[0]


def test_training_that_goes_on_renews_it_and_drops_scores_of_the_old_model(run):
    """What the user wrote below the line stays."""
    run.note_scores(run.model_digest(), "test.en, 8 sentences", SCORES)
    path = run.path / "README.md"
    assert "    - bleu: 12.5\n    - bleu_signature: nrefs:1|tok:13a" in path.read_text()
    path.write_text(path.read_text() + "\nTrained by me.\n")
    recipe = dataclasses.replace(run.config.training, epochs=3)
    train(run.path, training=recipe, resume=True)
    text = path.read_text("utf-8")
    assert "- training:\n  - epochs: 3\n" in text and "bleu" not in text
    assert text.endswith("stays. -->\n\nTrained by me.\n")
    assert run.scores == {}


def test_scores_are_kept_by_test_and_those_of_another_model_are_not(run):
    digest = run.model_digest()
    run.note_scores(digest, "one", SCORES)
    run.note_scores(digest, "other", SCORES)
    run.note_scores(digest, "one", {"bleu": 3.0})
    assert run.scores == {"one": {"bleu": 3.0}, "other": SCORES}
    said = "not kept in the run: model.keras must be the one that was scored"
    with pytest.warns(UserWarning, match=said):
        run.note_scores("0" * 64, "one", SCORES)
    assert run.scores["one"] == {"bleu": 3.0}


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"model": 3}'])
def test_damaged_scores_are_none(run, text):
    (run.path / "scores.json").write_text(text)
    assert run.scores == {}
    write_card(run)


def test_a_value_in_one_line():
    found = {"a\nb": {"c": 12345, "d": 0.1234567, "e": True, "f": "x\x1b"}, "g": [1]}
    assert outline(found) == [
        "- a\\nb:",
        "  - c: 12,345",
        "  - d: 0.123457",
        "  - e: true",
        "  - f: x\\u001b",
        "- g: [1]",
    ]
