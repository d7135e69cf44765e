import pytest

from keras_transformer.evaluation import callback
from keras_transformer.evaluation.callback import BleuCallback


def test_scores_go_into_the_logs_and_samples_are_shown(monkeypatch, capsys):
    class Echo:
        def __init__(self, model, *tokenizers):
            self.model = model

        def __call__(self, texts):
            return [f"{text}{self.model}" for text in texts]

    monkeypatch.setattr(callback, "Translator", Echo)
    monkeypatch.setattr(callback, "SAMPLES", 1)
    bleu = BleuCallback(["a b c d", "e f g h"], ["a b c d.", "e f g h."], None)
    bleu.set_model(".")
    logs = {}
    bleu.on_epoch_end(0, logs)
    assert logs == {"val_bleu": 100.0, "val_chrf": 100.0}
    out = capsys.readouterr().out
    assert (
        "BLEU 100.00, chrF 100.00 on 2 held-out sentences\n  a b c d\n  -> a b c d.\n"
        in out
    )
    assert "e f g h" not in out
    translator = bleu.translator
    bleu.set_model(".")
    assert bleu.translator is translator
    bleu.set_model("!")
    bleu.on_epoch_end(0, logs)
    assert "-> a b c d!" in capsys.readouterr().out


@pytest.mark.parametrize(
    "sources, references, message",
    [
        ("a man", ["ein Mann"], "sources must be a list of strings; received 'a man'"),
        (["a man"], [], "references must be as many as sources, 1; received 0"),
        (["a"], [b"a"], r"references\[0\] must be a string; received b'a'"),
    ],
)
def test_bad_lists_are_refused_before_an_epoch(sources, references, message):
    with pytest.raises(ValueError, match=message):
        BleuCallback(sources, references, None)


def test_any_iterable_once_and_the_tokenisation(capsys):
    bleu = BleuCallback(iter(["a b"]), (line for line in ["一个男人"]), None)
    assert (bleu.sources, bleu.references) == (["a b"], ["一个男人"])
    assert bleu.bleu_tokenize == "zh"
    assert "BLEU's tokenisation is zh" in capsys.readouterr().err
    with pytest.raises(ValueError, match="bleu_tokenize must be auto or one of"):
        BleuCallback(["a"], ["a"], None, bleu_tokenize="klingon")
