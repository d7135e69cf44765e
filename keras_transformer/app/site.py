"""What of the page can be reached, under which names, and by which requests.

Gradio has some sixty routes: the page needs few of them. Of a request, Gradio sees only
what is checked here.
"""

import asyncio
import re
import reprlib
from pathlib import Path

import gradio as gr
import httpx
import orjson
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
# Requests that wait for the model; sessions whose last attention is kept.
WAITING = 16
SESSIONS = 20
FORGOTTEN = "This page has been idle too long: translate again."
# Bytes of a body, and seconds to send it in.
LARGEST_BODY = 2**20
PATIENCE = 10
# What a browser loads to show the page.
FOLDERS = ("assets", "static")
FILES = ("/", "/theme.css", "/favicon.ico", "/manifest.json")
# To ask for something; to get what was asked for; to say that the page is still open.
ASK = "/gradio_api/queue/join"
FOLLOW = "/gradio_api/queue/data"
STAY = "/gradio_api/heartbeat/{session_hash}"
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?P<port>:[0-9]+)?")
SESSION = re.compile(r"[A-Za-z0-9-]{1,64}")
# The browser must load everything from here.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


def site(blocks, names):
    """The ASGI application that serves `gradio.Blocks` under some host names."""
    blocks.state_session_capacity = SESSIONS
    script = (HERE / "page.js").read_text("utf-8")
    gradio = gr.mount_gradio_app(
        Starlette(),
        blocks.queue(max_size=WAITING),
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        show_error=False,
        # Gradio's own fonts would come from Google.
        theme=gr.themes.Default(
            primary_hue="blue", font=["sans-serif"], font_mono=["monospace"]
        ),
        css_paths=HERE / "page.css",
        head=f"<script>{script}</script>",
    )
    endpoints = Endpoints(gradio, blocks)
    routes = [Route(path, endpoints.show) for path in FILES]
    for name in FOLDERS:
        files = StaticFiles(packages=[("gradio", f"templates/frontend/{name}")])
        routes.append(Mount(f"/{name}", files))
    routes.append(Route(ASK, endpoints.ask, methods=["POST"]))
    routes.append(Route(FOLLOW, endpoints.follow))
    routes.append(Route(STAY, endpoints.stay))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Doorkeeper, names)],
        exception_handlers={HTTPException: refusal},
        lifespan=gradio.router.lifespan_context,
    )


async def refusal(request, error):
    """The answer to a request that is refused; the page shows its sentence."""
    return JSONResponse({"detail": error.detail}, error.status_code)


def must(holds, name, expectation, received, status=400):
    """Refuse a request unless something in it meets an expectation."""
    if not holds:
        shown = reprlib.repr(received)
        raise HTTPException(status, f"{name} must {expectation}; received {shown}.")


def check_size(size):
    must(
        size <= LARGEST_BODY, "A body", f"have at most {LARGEST_BODY} bytes", size, 413
    )


class Doorkeeper:
    """ASGI middleware: the page's own names and origin only; `POLICY` always."""

    def __init__(self, app, names):
        self.app = app
        self.names = names

    async def __call__(self, scope, receive, send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        answer = self.app
        if scope["type"] == "http":
            try:
                self.check(Headers(scope=scope))
            except HTTPException as error:
                answer = await refusal(None, error)
        await answer(scope, receive, send_with_policy)

    def check(self, headers):
        """Refuse a request that another site makes, or that says it is too large."""
        host = headers.get("host", "").lower()
        match = HOST.fullmatch(host)
        is_ours = match and match["name"] in self.names
        known = f"be of {', '.join(sorted(self.names))}, or of --allow-host"
        must(is_ours, "Host", known, host, 403)
        # The browser says which site asks: one at another port is another site.
        origin = headers.get("origin", f"http://{host}")
        is_ours = origin.partition("://")[2] == host
        must(is_ours, "Origin", f"be that of {host}", origin, 403)
        check_size(int(headers.get("content-length", 0)))


class Endpoints:
    """What the open routes answer."""

    def __init__(self, gradio, blocks):
        self.gradio = gradio
        self.blocks = blocks
        inside = httpx.ASGITransport(gradio)
        self.client = httpx.AsyncClient(transport=inside, trust_env=False)

    def gradio_answer(self, request, query=""):
        """Gradio's answer to a request without its headers, as an ASGI application."""
        host = request.headers["host"]
        headers = [(b"host", host.encode())]
        scope = request.scope | {"headers": headers, "query_string": query.encode()}

        async def answer(_, receive, send):
            await self.gradio(scope, receive, send)

        return answer

    async def show(self, request):
        return self.gradio_answer(request)

    async def stay(self, request):
        check_session(request.path_params["session_hash"])
        return self.gradio_answer(request)

    async def follow(self, request):
        """The stream of what a session has asked for."""
        session = request.query_params.get("session_hash")
        check_session(session)
        is_known = session in self.blocks._queue.pending_messages_per_session
        must(is_known, "session_hash", "be of who asked for something", session)
        return self.gradio_answer(request, f"session_hash={session}")

    async def ask(self, request):
        """Let a request wait for the model, if it is one that the page makes."""
        asked = await read_json(request)
        self.check(asked)
        passed_on = {name: asked[name] for name in ("fn_index", "session_hash", "data")}
        url = request.url.replace(query="")
        answer = await self.client.post(str(url), json=passed_on)
        if answer.status_code == 503:
            sentence = f"{WAITING} requests are waiting already. Please try again soon."
            raise HTTPException(429, sentence)
        return JSONResponse(answer.json(), answer.status_code)

    def check(self, asked):
        """Refuse what the page does not ask."""
        must(isinstance(asked, dict), "The body", "be a JSON object", asked)
        functions = self.blocks.fns
        index = asked.get("fn_index")
        is_known = type(index) is int and index in functions
        must(is_known, "fn_index", f"be one of {[*functions]}", index)
        session = asked.get("session_hash")
        check_session(session)
        fields = functions[index].inputs
        data = asked.get("data")
        is_whole = isinstance(data, list) and len(data) == len(fields)
        must(is_whole, "data", f"be a list of {len(fields)} values", data)
        # A session can show other choices: each kind of attention has its own layers.
        sessions = self.blocks.state_holder
        is_kept = session in sessions
        shown = sessions[session] if is_kept else {}
        for field, value in zip(fields, data):
            if field._id in shown:
                field = shown[field._id]
            if not is_kept and getattr(field, "choices", None) == []:
                raise HTTPException(400, FORGOTTEN)
            check_value(field, value)


def check_session(session):
    """Refuse what names no session."""
    is_name = isinstance(session, str) and SESSION.fullmatch(session)
    must(is_name, "session_hash", "be 1 to 64 letters and digits", session)


def check_value(field, value):
    """Refuse what a field of the page cannot hold."""
    if isinstance(field, gr.Textbox):
        is_text = isinstance(value, str) and len(value) <= field.max_length
        limit = f"be text of at most {field.max_length} characters"
        must(is_text, field.label, limit, value)
    elif isinstance(field, gr.Dropdown | gr.Radio):
        choices = [choice for _, choice in field.choices]
        is_choice = value in choices and type(value) in map(type, choices)
        must(is_choice, field.label, f"be one of {choices}", value)
    else:  # A gr.State stays with the server.
        must(value is None, "The state", "be null", value)


async def read_json(request):
    """The body of a request, which is read only while it is neither long nor late."""
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                check_size(len(body))
        return orjson.loads(body)
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, f"A body must come within {PATIENCE} s.") from None
    except ValueError as error:
        raise HTTPException(400, f"The body must be JSON: {error}.") from None
