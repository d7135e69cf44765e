"""A page to type a sentence into: `keras-transformer app RUN` (extra `app`).

The page asks nothing of any machine but the one that serves it.
"""

from pathlib import Path

from ..config import DecodingConfig
from ..decoding.translator import Translator
from ..runs.bars import doing
from ..runs.extras import needed

needed("gradio", "matplotlib", extra="app")

import gradio as gr  # noqa: E402

from ..plots.model import alignment, attention  # noqa: E402
from .server import host_name, listen, page_server, served_names  # noqa: E402
from .site import site  # noqa: E402

# Characters of a sentence; weights of a layer whose heads are drawn one by one.
LONGEST = 500
LARGEST_GRID = 50_000
# Kind of attention: what it is called, whose tokens are queries, and whose are keys.
KINDS = {
    "cross": ("translation to sentence", "target_tokens", "source_tokens"),
    "encoder": ("sentence to itself", "source_tokens", "source_tokens"),
    "decoder": ("translation to itself", "input_tokens", "input_tokens"),
}
ALL_HEADS = "all"
QUEUE = dict(concurrency_id="model", concurrency_limit=1, api_visibility="private")


def serve(run, host="127.0.0.1", port=7860, allow_host=()):
    """Serve the page of a run until interrupted.

    Args:
        run: directory that `train`, `demo` or `import` made.
        host: address to listen on; only with another than the default can other
            machines see the page.
        port: the port there.
        allow_host: names, other than `host`, under which browsers may ask for the page.

    Raises:
        ValueError: if the run, an address or a name cannot be used.
        OSError: if the port is taken.
    """
    host = host_name("host", host)
    with listen(host, port) as listening:
        names = served_names(listening, host, allow_host)
        with doing(f"opening {run}"):
            search = DecodingConfig(n_best=DecodingConfig().beam)
            translator = Translator.load(run, search)
            blocks = page(translator, f"keras_transformer: {Path(run).resolve().name}")
            server = page_server(site(blocks, names))
        print(f"The page is at http://{host}:{port}/ (Ctrl-C ends it).", flush=True)
        server.run(sockets=[listening])


class Answers:
    """What the page shows of a `Translator`."""

    def __init__(self, translator):
        self.translator = translator

    def layers(self, kind):
        """The layers to choose from that have this kind of attention."""
        side = "encoder" if kind == "encoder" else "decoder"
        last = getattr(self.translator.model.config, f"{side}_layers")
        layers = list(range(1, last + 1))
        return gr.Dropdown(layers, value=max(1, last - 1), label="Layer")

    def translate(self, text, *choice):
        """Text -> best translation, all with scores, word links, attention, picture."""
        text = " ".join(text.split())
        if not 0 < len(text) <= LONGEST:
            limit = f"The sentence must have 1 to {LONGEST} characters"
            gr.Warning(f"{limit}; received {len(text)}.")
            return [gr.skip()] * 5
        translator = self.translator
        hypotheses = translator.hypotheses([text])[0]
        best = hypotheses[0]
        rows = [[f"{one.score:.4f}", one.text] for one in hypotheses]
        links = translator.alignments([text], [best])[0]
        words = alignment(text, best.text, links)
        found = translator.attention(text, best)
        return best.text, rows, words, found, picture(found, *choice)


def picture(found, kind, layer, head):
    """A layer's `AttentionWeights` as a figure; None if nothing is translated."""
    if found is None:
        return None
    layers = getattr(found, kind)
    weights = layers[min(layer, len(layers)) - 1]
    is_mean = head == ALL_HEADS and weights.size > LARGEST_GRID
    if is_mean:
        weights = weights.mean(axis=0)
    elif head != ALL_HEADS:
        weights = weights[int(head) - 1]
    _, queries, keys = KINDS[kind]
    figure = attention(weights, getattr(found, queries), getattr(found, keys))
    if is_mean:
        figure.supxlabel("mean of all heads")
    return figure


def page(translator, title):
    """The `gradio.Blocks` of a `Translator`."""
    answers = Answers(translator)
    kinds = [(name, kind) for kind, (name, *_) in KINDS.items()]
    heads = [str(n + 1) for n in range(translator.model.config.num_heads)]
    with gr.Blocks(title=title, analytics_enabled=False) as blocks:
        gr.Markdown(f"# {title}")
        found = gr.State()
        with gr.Row():
            sentence = gr.Textbox(label="Sentence", lines=3, max_length=LONGEST)
            best = gr.Textbox(label="Translation", lines=3, interactive=False)
        button = gr.Button("Translate", variant="primary")
        rows = gr.Dataframe(
            headers=["score", "translation"],
            label="Best translations",
            interactive=False,
            column_widths=["15%", "85%"],
        )
        with gr.Row():
            links = gr.Plot(label="Which word comes from which", format="png")
            with gr.Column(scale=2):
                with gr.Row():
                    kind = gr.Dropdown(kinds, value="cross", label="Attention of")
                    layer = answers.layers("cross")
                    head = gr.Dropdown([ALL_HEADS, *heads], label="Head")
                shades = gr.Plot(label="Attention", format="png")
        choice = [kind, layer, head]
        results = [best, rows, links, found, shades]
        asked = [button.click, sentence.submit]
        gr.on(asked, answers.translate, [sentence, *choice], results, **QUEUE)
        drawn = dict(fn=picture, inputs=[found, *choice], outputs=shades, **QUEUE)
        gr.on([layer.input, head.input], **drawn)
        chosen = kind.input(answers.layers, kind, layer, **QUEUE)
        # The picture comes after: a layer that the kind does not have would be refused.
        chosen.then(**drawn)
    return blocks
