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
