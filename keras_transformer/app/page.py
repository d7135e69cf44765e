"""A page to type a sentence into: `keras-transformer app RUN` (extra `app`). It asks nothing of any other machine."""

import os

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.translator import Translator
from keras_transformer.runs.extras import needed

LONGEST = 500  # characters of a sentence
WAITING = 16  # sentences that may wait for their turn
LARGEST_GRID = 50_000  # weights of all heads of a layer that are drawn one by one
KINDS = {
    "cross": "translation to sentence",
    "encoder": "sentence to itself",
    "decoder": "translation to itself",
}
ALL_HEADS = "all"

# The browser is told to load nothing but from here; Gradio's own files are all served
# by Gradio.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


def serve(run, host="127.0.0.1", port=7860, wait=True):
    """Serve the page of a run until interrupted.

    Args:
        run: directory that `train`, `demo` or `import` made.
        host: address to listen on; others than this machine can see the page only if it
            is another.
        port: the port there.
        wait: whether to return only when interrupted; if not, the caller closes what is
            returned.

    Returns:
        the running `gradio.Blocks`; its `local_url` is the page's address.

    Raises:
        ImportError: if Gradio or matplotlib is not installed.
        ValueError: if the run cannot be used.
        OSError: if the port is taken.
    """
    needed("gradio", "matplotlib", extra="app")
    translator = Translator.load(run, DecodingConfig(n_best=DecodingConfig().beam))
    blocks = page(
        translator, title=f"keras_transformer: {os.path.basename(os.path.abspath(run))}"
    )
    import gradio
    from starlette.middleware import Middleware

    # The others would come from Google.
    system_font = dict(font=["sans-serif"], font_mono=["monospace"])
    blocks.queue(max_size=WAITING).launch(
        server_name=host,
        server_port=port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,
        footer_links=[],
        max_file_size=1,
        state_session_capacity=20,  # each keeps the attention of its last sentence
        theme=gradio.themes.Default(**system_font),
        app_kwargs={"middleware": [Middleware(OnlyFromHere)]},
    )
    if wait:
        print(f"The page is at {blocks.local_url} (Ctrl-C ends it).", flush=True)
        try:
            blocks.block_thread()
        finally:
            blocks.close(verbose=False)
    return blocks


class OnlyFromHere:
    """An ASGI middleware that adds `POLICY` to every answer."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                ]
            await send(message)

        await self.app(scope, receive, send_with_policy)


def page(translator, title="keras_transformer"):
    """The `gradio.Blocks` of a `Translator`."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    import gradio

    from keras_transformer import plots

    config = translator.model.config
    layers = {
        "encoder": config.encoder_layers,
        "decoder": config.decoder_layers,
        "cross": config.decoder_layers,
    }

    def translate(text, *choice):
        text = " ".join(text.split()) if len(text) <= LONGEST else text
        if not 0 < len(text) <= LONGEST:
            gradio.Warning(
                f"The sentence must have 1 to {LONGEST} characters; received {len(text)}."
            )
            return [gradio.skip()] * 5
        (hypotheses,) = translator.hypotheses([text])
        best = hypotheses[0]
        rows = [
            [f"{hypothesis.score:.4f}", hypothesis.text] for hypothesis in hypotheses
        ]
        links = plots.alignment(
            text, best.text, translator.alignments([text], [best])[0]
        )
        found = translator.attention(text, best)
        return best.text, rows, links, found, picture(found, *choice)

    def picture(found, kind, layer, head):
        if found is None:  # nothing is translated yet
            return None
        weights = getattr(found, kind)[min(layer, layers[kind]) - 1]
        queries = {
            "encoder": found.source_tokens,
            "decoder": found.input_tokens,
            "cross": found.target_tokens,
        }[kind]
        keys = found.input_tokens if kind == "decoder" else found.source_tokens
        if head != ALL_HEADS:
            return plots.attention(weights[int(head) - 1], queries, keys)
        if weights.size > LARGEST_GRID:
            return plots.attention(
                weights.mean(axis=0), queries, keys, title="mean of all heads"
            )
        return plots.attention(weights, queries, keys)

    def choose_kind(kind, layer):
        return gradio.Dropdown(
            choices=list(range(1, layers[kind] + 1)), value=min(layer, layers[kind])
        )

    with gradio.Blocks(title=title, analytics_enabled=False) as blocks:
        gradio.Markdown(f"# {title}")
        found = gradio.State()
        with gradio.Row():
            sentence = gradio.Textbox(
                label="Sentence", lines=3, max_length=LONGEST, autofocus=True
            )
            translation = gradio.Textbox(
                label="Translation", lines=3, interactive=False
            )
        button = gradio.Button("Translate", variant="primary")
        best = gradio.Dataframe(
            headers=["score", "translation"],
            label="Best translations",
            interactive=False,
            column_widths=["15%", "85%"],
        )
        with gradio.Row():
            with gradio.Column(scale=1):
                gradio.Markdown("Which word comes from which")
                links = gradio.Plot(show_label=False, format="png")
            with gradio.Column(scale=2):
                with gradio.Row():
                    kind = gradio.Dropdown(
                        [(v, k) for k, v in KINDS.items()],
                        value="cross",
                        label="Attention of",
                    )
                    numbers = list(range(1, config.decoder_layers + 1))
                    layer = gradio.Dropdown(
                        numbers, value=max(1, len(numbers) - 1), label="Layer"
                    )
                    heads = [ALL_HEADS, *map(str, range(1, config.num_heads + 1))]
                    head = gradio.Dropdown(heads, value=ALL_HEADS, label="Head")
                shades = gradio.Plot(show_label=False, format="png")
        choice = [kind, layer, head]
        one_at_a_time = dict(
            concurrency_id="model", concurrency_limit=1, api_visibility="private"
        )
        gradio.on(
            [button.click, sentence.submit],
            translate,
            [sentence, *choice],
            [translation, best, links, found, shades],
            **one_at_a_time,
        )
        # One after the other: a layer that this kind does not have would be refused.
        shown = dict(
            fn=picture, inputs=[found, *choice], outputs=shades, **one_at_a_time
        )
        kind.input(choose_kind, [kind, layer], layer, **one_at_a_time).then(**shown)
        gradio.on([layer.input, head.input], **shown)
    return blocks
