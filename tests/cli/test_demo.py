from small import DATA, MODEL, write_corpus

from keras_transformer.cli import demo
from keras_transformer.cli import main as cli
from keras_transformer.config import TrainingConfig


def test_score_translations_and_what_to_type(tmp_path, main, monkeypatch, one_bucket):
    *train, source, target = write_corpus(tmp_path / "corpus", valid=10)
    splits = {"train": train, "valid": (source, target), "test": (source, target)}
    monkeypatch.setattr("keras_transformer.data.examples.captions", splits.get)
    recipe = TrainingConfig(epochs=1, warmup_updates=5)
    configs = {"model": MODEL, "data": DATA, "training": recipe}
    monkeypatch.setattr("keras_transformer.training.advice.FEWEST_PAIRS", 0)
    monkeypatch.setattr(demo, "CONFIGS", configs)
    out = main("demo", tmp_path / "run")
    assert "BLEU" in out and "tok:13a" in out and "  -> " in out
    assert f"keras-transformer translate {tmp_path / 'run'} " in out
    assert cli.main(["demo", str(tmp_path / "run")]) == 2  # it exists now
