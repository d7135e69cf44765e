import json


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
