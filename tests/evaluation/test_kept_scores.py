import shutil

from layer_checks import ON_TORCH, marked

from keras_transformer.config import DecodingConfig
from keras_transformer.evaluation.evaluate import evaluate
from keras_transformer.runs.run import Run


@marked(ON_TORCH)
def test_scores_with_a_glossary_stand_beside_those_without(trained, tmp_path):
    run = Run.open(shutil.copytree(trained, tmp_path / "run"))
    pairs = [("a man", "ein Mann"), ("two girls", "zwei Mädchen")]
    search = DecodingConfig(extra_length=0)
    for glossary in (None, {"man": "Mann"}):
        evaluate(run.translator(search, glossary), pairs, run=run)
    plain = "2 sentences, extra_length=0"
    assert [*run.scores] == [plain, f"{plain}, glossary"]
