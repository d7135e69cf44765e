"""The languages of a run, and the choice of them where a model knows many."""

import pytest
from browser import chromium
from serving import started

from keras_transformer.app import page as app
from keras_transformer.app.languages import fields, made_for

TEXT = "a man"


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The run of a checkpoint of a hundred languages, made for two of them."""
    pytest.importorskip("transformers")
    from checkpoints import importing

    made = importing(tmp_path_factory, max_position_embeddings=160)("m2m_100")
    return app.Run.open(made.run)


@pytest.mark.parametrize(
    "known, codes, chosen",
    [
        ({}, ["en", "de"], [None, None]),
        ({"de": 5, "en": 6}, ["en", "de"], ["en", "de"]),
        # Marian's, which is only told what to translate into.
        ({"fr": 5, "es": 6}, ["en", "fr"], [None, "fr"]),
        ({"es": 6, "fr": 5}, ["en", "mul"], [None, "fr"]),  # the first by name
    ],
)
def test_what_can_be_chosen(known, codes, chosen):
    found = fields(known, codes)
    shown = [field.value if field.visible else None for field in found]
    assert shown == chosen
    for field in found:
        if field.visible:
            assert sorted(code for _, code in field.choices) == sorted(known)


def test_languages_that_no_run_names_are_the_tokenizers(imported):
    """So of a run that was made of a preset which was fine-tuned since."""
    source, target = imported.tokenizers
    assert made_for(source, target, app.NAMES) == ["en", "de"]
    assert made_for(source, target, ("fr", "eng_Latn")) == ["fr", "de"]
    assert source.with_languages("", "fr").source_prefix == source.source_prefix


def test_a_language_is_chosen_in_a_browser(imported):
    assert imported.config.languages == ["en", "de"]
    config = app.DecodingConfig(extra_length=3)
    translator = imported.translator(config)
    answers = app.Answers(translator)
    assert answers.translator_for("en", "de").sentence_format == (
        translator.sentence_format
    )
    french = answers.translator_for("en", "fr")
    (given,) = french.sentence_format.target_prefix
    assert given == translator.source_tokenizer.languages["fr"]
    assert answers.translator_for("en", "fr") is french

    path = chromium()
    from playwright.sync_api import expect, sync_playwright

    blocks = app.page(translator, "a-run", imported.config.languages)
    with started(blocks) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        expect(page.get_by_label("From")).to_have_value("English (en)")
        into = page.get_by_label("Into")
        expect(into).to_have_value("German (de)")
        into.click()
        into.fill("Fren")
        page.get_by_role("option", name="French (fr)").click()
        page.get_by_role("textbox", name="Sentence").fill(TEXT)
        page.get_by_role("textbox", name="Sentence").press("Enter")
        tokens = page.get_by_role("region", name="Attention").get_by_role("rowheader")
        expect(tokens.first).to_have_text("__fr__", timeout=30_000)
        browser.close()
