"""A page to type a sentence into: `keras-transformer app RUN` (extra `app`).

The page asks nothing of any machine but the one that serves it.
"""

import dataclasses
import functools
from pathlib import Path

from ..config import DecodingConfig, TransformerConfig
from ..data.store import TokenStore
from ..decoding.attention import AttentionWeights
from ..decoding.base_translator import BaseTranslator, Hypothesis
from ..decoding.translator import Translator
from ..export.ctranslate2_translator import CTranslate2Translator
from ..process.bars import doing
from ..process.extras import needed
from ..runs.run import Run
from ..runs.sealed_files import Manifest

needed("gradio", "babel", extra="app")

import gradio as gr  # noqa: E402

from . import html  # noqa: E402
from .languages import fields, made_for, name_of  # noqa: E402
from .server import host_name, listen, page_server, served_names  # noqa: E402
from .site import site  # noqa: E402

LONGEST = 500  # characters of a sentence
EXAMPLES = 3
# Pairs of languages that are kept ready: a backend compiles a search for each.
TRANSLATORS = 4
NAMES = ("Sentence", "Translation")
START = "Type a sentence, or take an example."
SCORES = "log-probability in nats / length penalty: the nearer to 0, the better"
READING = (
    "Each row shows how a token shares out its attention among those above, in per "
    "cent. ▁ begins a word."
)
# Kind of attention: whose tokens are queries, and whose are keys.
KINDS = {
    "cross": ("target_tokens", "source_tokens"),
    "encoder": ("source_tokens", "source_tokens"),
    "decoder": ("input_tokens", "input_tokens"),
}
MEAN = "mean"  # instead of the number of a head
COLUMN = dict(min_width=340)  # pixels; narrower windows have one below the other
SAME = "(text) => text"  # in the browser
QUEUE = dict(concurrency_id="model", concurrency_limit=1, api_visibility="private")


def serve(run, host="127.0.0.1", port=7860, allow_host=(), runtime="keras"):
    """Serve the page of a run until interrupted.

    Args:
        run: directory that `train`, `demo` or `import` made, or an export.
        host: address to listen on; only with another than the default can other
            machines see the page.
        port: the port there.
        allow_host: names, other than `host`, under which browsers may ask for the page.
        runtime: "keras", or "ctranslate2" for what was exported to it.

    Raises:
        ValueError: if the run, an address, a port or a name cannot be used.
    """
    host = host_name("host", host)
    with listen(host, port) as listening:
        names = served_names(listening, host, allow_host)
        with doing(f"opening {run}"):
            beam = DecodingConfig().beam
            sentences = []
            if runtime == "ctranslate2":
                translator = CTranslate2Translator.load(
                    run, search="beam", beam=beam, n_best=beam
                )
            else:
                opened = Run.open(run)
                translator = opened.translator(DecodingConfig(n_best=beam))
                sentences = examples(opened)
            languages = Manifest(run).read_json("config.json").get("languages")
            blocks = page(translator, Path(run).resolve().name, languages, sentences)
            server = page_server(site(blocks, names))
        print(f"The page is at http://{host}:{port}/ (Ctrl-C ends it).", flush=True)
        server.run(sockets=[listening])


def examples(run):
    """Validation sentences of a `Run`, from short ones to one of middling length."""
    folder = run.path / "data" / "valid"
    if not folder.is_dir():
        return []
    if run.tokenizers[0].markup is not None:
        return []  # the store has symbols in place of marks
    store = TokenStore.open(folder)
    lengths = store.lengths[:, 0]
    by_length = lengths.argsort(kind="stable")
    places = [len(store) * n // (2 * EXAMPLES) for n in range(1, EXAMPLES + 1)]
    sources, _ = store.texts(by_length[places], *run.tokenizers)
    return [text for text in dict.fromkeys(sources) if 0 < len(text) <= LONGEST]


@dataclasses.dataclass(frozen=True)
class Session:
    """What a session sees: the hypotheses of a sentence, and the attention of one."""

    translator: BaseTranslator
    text: str
    hypotheses: list[Hypothesis]
    found: AttentionWeights | None = None


class Answers:
    """What the page shows of a translator; one of another runtime has no attention.

    `names` are what a sentence and its translation are called.
    """

    def __init__(self, translator, names=NAMES):
        self.names = names
        self.has_attention = isinstance(translator, Translator)
        self.config = TransformerConfig()
        if self.has_attention:
            self.config = translator.model.config

        @functools.lru_cache(TRANSLATORS)
        def translator_for(*codes):
            if not any(codes):
                return translator
            sides = (translator.source_tokenizer, translator.target_tokenizer)
            tokenizers = [side.with_languages(*codes) for side in sides]
            return Translator(translator.model, *tokenizers, translator.config)

        self.translator_for = translator_for

    def kinds(self):
        """What the kinds of attention are called."""
        source, target = self.names
        return f"{target} \u2192 {source}", f"within {source}", f"within {target}"

    def layers(self, kind):
        """The layers to choose from that have this kind of attention."""
        side = "encoder" if kind == "encoder" else "decoder"
        last = getattr(self.config, f"{side}_layers")
        layers = list(range(1, last + 1))
        return gr.Radio(layers, value=max(1, last - 1), label="Layer")

    def translate(self, text, source, target, *choice):
        """Text -> hypotheses, words and attention; or a sentence that says why not."""
        text = " ".join(text.split())
        if not 0 < len(text) <= LONGEST:
            limit = f"The sentence must have 1 to {LONGEST} characters"
            return self.refusal(f"{limit}; received {len(text)}.")
        translator = self.translator_for(source, target)
        if not translator.reads_all_of(text):
            return self.refusal("The sentence has more tokens than are translated.")
        try:
            hypotheses = translator.hypotheses([text])[0]
        except ValueError as error:
            return self.refusal(f"This cannot be translated: {error}.")
        texts = [f"{one.score:.2f}\u2002{one.text}" for one in hypotheses]
        choices = list(zip(texts, range(len(texts))))
        rows = gr.Radio(choices, value=0, visible=True)
        panel = gr.Row(visible=self.has_attention)
        first = self.choose(Session(translator, text, hypotheses), 0, *choice)
        return rows, panel, *first

    def refusal(self, sentence):
        hidden = [gr.Radio(visible=False), gr.Row(visible=False)]
        return *hidden, None, html.notice(sentence), ""

    def choose(self, session, number, *choice):
        """A hypothesis by its number -> its words, and its attention."""
        text = session.text
        best = session.hypotheses[number]
        links = None
        if self.has_attention:
            if session.translator.markup is None:
                links = session.translator.alignments([text], [best])[0]
            found = session.translator.attention(text, best)
            session = dataclasses.replace(session, found=found)
        words = html.words((text, best.text), self.names, links)
        return session, words, picture(session, *choice)


def picture(session, kind, layer, head):
    """The attention of a head, or the mean of all; nothing if nothing is translated."""
    if session is None or session.found is None:
        return ""
    layers = getattr(session.found, kind)
    weights = layers[min(layer, len(layers)) - 1]
    weights = weights.mean(axis=0) if head == MEAN else weights[int(head) - 1]
    queries, keys = (getattr(session.found, side) for side in KINDS[kind])
    return html.table(weights, queries, keys)


class Question:
    """The column with the sentence to translate, and examples to click."""

    def __init__(self, name, languages, sentences):
        with gr.Column(**COLUMN):
            self.languages = fields(*languages)
            self.sentence = gr.Textbox(
                label=name,
                autofocus=True,
                elem_classes="sentence",
                max_lines=8,
                max_length=LONGEST,
            )
            self.button = gr.Button("Translate", variant="primary")
            with gr.Column(elem_classes="examples", visible=bool(sentences)):
                gr.HTML("<p>Examples</p>")
                self.examples = [gr.Button(text, size="sm") for text in sentences]


class Answer:
    """The column with the words of a translation, and the other hypotheses."""

    def __init__(self, name):
        with gr.Column(**COLUMN):
            self.words = gr.HTML(html.line(name, START), elem_classes="words")
            self.rows = gr.Radio(
                label="Best translations",
                info=SCORES,
                visible=False,
                elem_classes="hypotheses",
            )


class Attention:
    """The row that shows the attention of a layer and a head."""

    def __init__(self, answers):
        heads = [str(head) for head in range(1, answers.config.num_heads + 1)]
        with gr.Row(visible=False, elem_classes="attention") as self.panel:
            with gr.Column(**COLUMN):
                kinds = list(zip(answers.kinds(), KINDS))
                self.kind = gr.Radio(kinds, value="cross", label="Attention")
                self.layer = answers.layers("cross")
                self.head = gr.Radio([MEAN, *heads], value=MEAN, label="Head")
                gr.HTML(f"<p>{READING}</p>")
            with gr.Column(scale=2, **COLUMN):
                self.weights = gr.HTML(apply_default_css=False)
        self.choice = [self.kind, self.layer, self.head]


def page(translator, run_name, languages=None, sentences=()):
    """The `gradio.Blocks` of a translator; `sentences` are examples to click."""
    sides = (translator.source_tokenizer, translator.target_tokenizer)
    codes = made_for(*sides, languages or NAMES)
    known = sides[0].languages
    is_pair = not known and all(map(name_of, codes))
    names = [name_of(code) for code in codes] if is_pair else NAMES
    title = " to ".join(names) if is_pair else run_name
    answers = Answers(translator, names)
    choosable = known if answers.has_attention else ()
    with gr.Blocks(title=title, analytics_enabled=False) as blocks:
        gr.HTML(html.heading(title, run_name), elem_classes="top")
        with gr.Row():
            question = Question(names[0], (choosable, codes), sentences)
            answer = Answer(names[1])
        attention = Attention(answers)
        connect(answers, question, answer, attention)
    return blocks


def connect(answers, question, answer, attention):
    """Say what happens when something on the page is clicked, typed or chosen."""
    session = gr.State()
    sentence = question.sentence
    results = [session, answer.words, attention.weights]
    translated = dict(
        fn=answers.translate,
        inputs=[sentence, *question.languages, *attention.choice],
        outputs=[answer.rows, attention.panel, *results],
        show_progress_on=answer.words,
        **QUEUE,
    )
    gr.on([question.button.click, sentence.submit], **translated)
    for example in question.examples:
        filled = example.click(None, example, sentence, js=SAME)
        filled.then(**translated)
    inputs = [session, answer.rows, *attention.choice]
    answer.rows.input(answers.choose, inputs, results, **QUEUE)
    drawn = dict(
        fn=picture,
        inputs=[session, *attention.choice],
        outputs=attention.weights,
        **QUEUE,
    )
    gr.on([attention.layer.input, attention.head.input], **drawn)
    moved = attention.kind.input(
        answers.layers, attention.kind, attention.layer, **QUEUE
    )
    # The picture comes after: a layer that the kind does not have would be refused.
    moved.then(**drawn)
