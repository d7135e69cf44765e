"""The page in a real browser: what a pointer, a keyboard, a finger and a phone find."""

import re
import threading

import pytest
from browser import chromium
from layer_checks import some_slow
from serving import small_run, started

from keras_transformer.app import page as app

NAMES = ("English", "German")
SENTENCE = "a man rides a bike"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def translator(trained):
    return app.Translator.load(trained, app.DecodingConfig(n_best=4, extra_length=3))


@pytest.fixture(scope="module")
def shown(translator):
    """What `SENTENCE` gives: its hypotheses, words and attention."""
    answers = app.Answers(translator, NAMES)
    return answers.translate(SENTENCE, "", "", "cross", 1, app.MEAN)[2]


@pytest.fixture(scope="module")
def examples(trained):
    return app.examples(app.Run.open(trained))


@pytest.fixture(scope="module")
def url(translator, examples):
    blocks = app.page(translator, "a-run", ["en", "de"], examples)
    with started(blocks) as url:
        yield url


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """The page's answers of a run of several layers, and where it is served."""
    run = small_run(tmp_path_factory.mktemp("deep") / "a-run")
    translator = app.Translator.load(run)
    with started(app.page(translator, "a-run", ["en", "de"])) as url:
        yield app.Answers(translator), url


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(browser):
    """A desktop's pages, which load what they share once."""
    return browser.new_context(viewport=DESK)


@pytest.fixture
def opened(browser, desk, url):
    """A function that opens the page; nothing on it may fail or come from elsewhere."""
    asked = []
    failed = []
    said = []
    pages = []

    def note(message):
        if message.type == "error":
            said.append(message.text)

    def opened(at=url, **how):
        page = browser.new_page(**{"viewport": DESK, **how}) if how else desk.new_page()
        pages.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("console", note)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(at)
        return page

    yield opened
    for page in pages:
        page.close()
    here = ("http://127.0.0.1:", "data:", "blob:")
    elsewhere = [one for one in asked if not one.startswith(here)]
    # The page ends these streams itself.
    broken = [one for one in failed if "/queue/data?" not in one]
    assert asked and elsewhere == [] and broken == [] and said == []


def expect(locator):
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)
    return expect(locator)


def field(page):
    return page.get_by_role("textbox", name="English")


def line(page, name):
    return page.get_by_role("toolbar", name=name)


def words(page, name):
    return line(page, name).get_by_role("button")


def choices(page, name):
    """The choices of this name."""
    return page.locator("fieldset").filter(has=page.get_by_text(name, exact=True))


def table(page):
    return page.get_by_role("region", name="Attention")


def translated(page, text=SENTENCE):
    """Type a sentence and press Enter; wait for its words and its attention."""
    field(page).fill(text)
    field(page).press("Enter")
    expect(line(page, "English")).to_have_text(" ".join(text.split()))
    expect(table(page)).to_be_visible()


def test_enter_translates(opened, shown):
    page = opened()
    expect(page.get_by_role("heading", level=1)).to_have_text("English to German")
    expect(field(page)).to_be_focused()
    # Nothing is there that says nothing yet.
    expect(table(page)).to_have_count(0)
    expect(page.get_by_role("radio")).to_have_count(0)
    translated(page)
    expect(line(page, "German")).to_have_text(shown.hypotheses[0].text)
    assert field(page).input_value() == SENTENCE
    limit = field(page).get_attribute("maxlength")
    assert limit == str(app.LONGEST)


def test_an_example_is_translated_by_a_click(opened, translator, examples):
    page = opened()
    page.get_by_role("button", name=examples[1], exact=True).click()
    expect(field(page)).to_have_value(examples[1])
    expect(line(page, "German")).to_have_text(translator(examples[1]))


def test_each_hypothesis_has_its_words_and_attention(opened, shown):
    page = opened()
    translated(page)
    group = choices(page, "Best translations")
    for number in (3, 1):
        one = shown.hypotheses[number]
        choice = group.get_by_role("radio").nth(number)
        expect(group.locator("label").nth(number)).to_have_text(
            f"{one.score:.2f}\u2002{one.text}"
        )
        choice.check()
        expect(line(page, "German")).to_have_text(one.text)
        rows = table(page).get_by_role("rowheader")
        tokens = shown.translator.attention(SENTENCE, one).target_tokens
        expect(rows).to_have_text(list(tokens))


def lit(page, name):
    """The words of a line that are lit, by their numbers."""
    script = "all => all.map((word) => word.classList.contains('lit'))"
    found = words(page, name).evaluate_all(script)
    return [number for number, is_lit in enumerate(found) if is_lit]


@pytest.mark.parametrize("by", some_slow(["pointer", "keyboard", "touch"], ["touch"]))
def test_words_that_belong_together_light_up(opened, translator, shown, by):
    page = opened(has_touch=True) if by == "touch" else opened()
    translated(page)
    best, *_ = (one for one in shown.hypotheses if one.text)
    chosen = page.locator(".hypotheses input").nth(shown.hypotheses.index(best))
    chosen.check()
    expect(line(page, "German")).to_have_text(best.text)
    (links,) = translator.alignments([SENTENCE], [best])
    number = len(best.text.split()) - 1
    word = words(page, "German").nth(number)
    if by == "pointer":
        word.hover()
    elif by == "touch":
        word.tap()
    else:
        words(page, "German").first.focus()
        for _ in range(number):
            page.keyboard.press("ArrowRight")
        expect(word).to_be_focused()
    partners = [source for source, target in links if target == number]
    assert lit(page, "German") == [number]
    assert lit(page, "English") == partners != []
    said = SENTENCE.split()[partners[0]]
    assert word.get_attribute("aria-label").endswith(f": {said}")
    # And back.
    words(page, "English").nth(partners[0]).hover()
    back = [target for source, target in links if source == partners[0]]
    assert lit(page, "German") == back
    page.get_by_role("heading", level=1).hover()
    expect(page.locator(".lit")).to_have_count(
        0 if by == "pointer" else 1 + len(partners)
    )


def test_heads_are_read_one_at_a_time(opened, deep):
    answers, url = deep
    found = answers.translate(SENTENCE, "", "", "cross", 2, app.MEAN)[2].found
    page = opened(url)
    translated(page)

    def chosen(name):
        return choices(page, name)

    def to_show(weights):
        cells = [round(100 * weight) for weight in weights.ravel()]
        texts = [str(cell) if cell >= app.html.SHOWN else "" for cell in cells]
        expect(table(page).locator("tr:not(:first-child) td")).to_have_text(texts)

    to_show(found.cross[1].mean(axis=0))
    mean = chosen("Head").get_by_label("mean")
    mean.focus()
    for head in (0, 1):
        page.keyboard.press("ArrowRight")
        expect(chosen("Head").get_by_label(str(head + 1))).to_be_checked()
        expect(page.get_by_role("group", name="Head", exact=True)).to_be_visible()
        to_show(found.cross[1, head])
    chosen("Layer").get_by_label("3").check()
    to_show(found.cross[2, 1])
    # From three layers to one.
    chosen("Attention").get_by_label("within English").check()
    to_show(found.encoder[0, 1])
    expect(chosen("Layer").get_by_role("radio")).to_have_count(1)
    expect(page.get_by_text("Error")).to_have_count(0)


def test_it_says_that_it_is_busy(opened, translator, monkeypatch):
    gate = threading.Event()
    hypotheses = translator.hypotheses

    def slow(texts):
        gate.wait(60)
        return hypotheses(texts)

    monkeypatch.setattr(translator, "hypotheses", slow)
    page = opened()
    spinner = page.locator(".words").get_by_test_id("status-tracker").locator("svg")
    expect(spinner).to_have_count(0)
    field(page).fill(SENTENCE)
    page.get_by_role("button", name="Translate").click()
    expect(spinner.first).to_be_visible()
    gate.set()
    expect(line(page, "German")).to_have_text(translator(SENTENCE))
    expect(spinner).to_have_count(0)


def test_an_error_is_a_sentence(opened):
    page = opened()
    translated(page)
    field(page).fill(" ")
    page.get_by_role("button", name="Translate").click()
    sentence = "The sentence must have 1 to 500 characters; received 0."
    expect(page.get_by_role("alert")).to_have_text(sentence)
    # What belongs to the sentence before is gone.
    expect(table(page)).to_be_hidden()
    expect(page.get_by_role("radio").first).to_be_hidden()
    translated(page)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)> a man", "${alert(1)} {{value}} <b>a</b> &lt; \"'`"],
)
def test_text_stays_text(opened, text):
    page = opened()
    translated(page, text)
    for name in (".words", ".hypotheses", ".weights"):
        expect(page.locator(f"{name} img, {name} b, {name} script")).to_have_count(0)


def contrast(page, locator):
    """How much lighter or darker a text is than what it stands on (WCAG)."""

    def luminance(colour):
        numbers = [float(number) for number in re.findall(r"[\d.]+", colour)]
        if colour.startswith("rgb"):
            numbers[:3] = [number / 255 for number in numbers[:3]]
        linear = [
            number / 12.92 if number <= 0.03928 else ((number + 0.055) / 1.055) ** 2.4
            for number in numbers[:3]
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    # A canvas says which colour is seen, whatever is transparent.
    script = """(element) => {
        const context = document.createElement("canvas").getContext("2d");
        const parents = [];
        for (let at = element; at; at = at.parentElement) parents.unshift(at);
        const fill = (colour) => {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
            return `rgb(${[...context.getImageData(0, 0, 1, 1).data].slice(0, 3)})`;
        };
        fill("white");
        const behind = parents.map((at) => fill(getComputedStyle(at).backgroundColor));
        return [behind.at(-1), fill(getComputedStyle(element).color)];
    }"""
    behind, text = map(luminance, locator.evaluate(script))
    return (max(behind, text) + 0.05) / (min(behind, text) + 0.05)


@pytest.mark.parametrize("scheme", some_slow(["light", "dark"], ["dark"]))
def test_it_can_be_read_on_a_phone_by_day_and_night(opened, examples, scheme):
    page = opened(viewport=PHONE, color_scheme=scheme)
    sentence = " ".join([SENTENCE] * 6)
    translated(page, sentence)
    background = page.locator("body").evaluate(
        "(body) => getComputedStyle(body).backgroundColor"
    )
    brightest = max(map(int, re.findall(r"\d+", background)[:3]))
    assert (brightest < 60) == (scheme == "dark")
    # A wide table scrolls by itself.
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert table(page).evaluate("(at) => at.scrollWidth > at.clientWidth")
    words(page, "German").first.hover()
    texts = {
        "title": page.get_by_role("heading", level=1),
        "run": page.get_by_text("a-run", exact=True),
        "label": page.locator(".words h2").first,
        "word": words(page, "English").first,
        "lit": words(page, "German").first,
        "example": page.get_by_role("button", name=examples[1], exact=True),
        "button": page.get_by_role("button", name="Translate"),
        "hypothesis": page.locator(".hypotheses label span").first,
        "score": page.locator(".hypotheses .info-text"),
        "chosen": page.locator(".attention label:has(:checked) span").first,
        "token": table(page).get_by_role("rowheader").first,
    }
    for name, text in texts.items():
        assert contrast(page, text) >= 4.5, name
        size = text.evaluate("(at) => parseFloat(getComputedStyle(at).fontSize)")
        assert size >= 12, name
    for cell in table(page).locator("td[style]").all()[:20]:
        assert contrast(page, cell) >= 4.5, cell.get_attribute("style")


def test_the_keyboard_reaches_everything(opened):
    page = opened()
    translated(page)
    field(page).focus()
    reached = [
        page.get_by_role("button", name="Translate"),
        *page.locator(".examples button").all(),
        words(page, "German").first,
        words(page, "English").first,
        *page.get_by_role("radio").all(),
        table(page),
    ]
    for place in reached:
        page.keyboard.press("Tab")
        expect(place).to_be_focused()
        # A choice's own circle is hidden: its label has the outline.
        script = """(at) => [at, at.closest("label")].some(
            (one) => one && getComputedStyle(one).outlineStyle === "solid"
        )"""
        assert place.evaluate(script)
