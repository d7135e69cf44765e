"""What of the page can be reached, by which names, and with which requests.

Gradio has some sixty routes. The page needs few of them, and shows Gradio nothing of a
request but what is read here.
"""

import asyncio
import re
import reprlib

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

# Requests that wait for the model; sessions whose last attention is kept; bytes of a
# body, and seconds to send it in.
WAITING = 16
SESSIONS = 20
LARGEST_BODY = 2**20
PATIENCE = 10
# Gradio's folders of what a browser loads; its routes that show the page, and the one
# that keeps a session.
FOLDERS = ("assets", "static")
SHOWN = (
    "/",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/gradio_api/heartbeat/{session_hash}",
)
JOIN = "/gradio_api/queue/join"
FOLLOW = "/gradio_api/queue/data"
PASSED_ON = (b"host", b"accept-encoding")
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?")
SESSION = re.compile(r"[A-Za-z0-9-]{1,64}")
# The browser must load everything from here; Gradio itself serves all files it needs.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


def site(blocks, names):
    """The ASGI application that serves `gradio.Blocks` under some host names."""
    blocks.state_session_capacity = SESSIONS
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
        theme=gr.themes.Default(font=["sans-serif"], font_mono=["monospace"]),
    )
    open_routes = Routes(gradio, blocks)
    routes = [Route(path, open_routes.show) for path in SHOWN]
    for name in FOLDERS:
        files = StaticFiles(packages=[("gradio", f"templates/frontend/{name}")])
        routes.append(Mount(f"/{name}", files))
    routes.append(Route(JOIN, open_routes.join, methods=["POST"]))
    routes.append(Route(FOLLOW, open_routes.follow))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Doorkeeper, names)],
        exception_handlers={HTTPException: say},
        lifespan=gradio.router.lifespan_context,
    )


async def say(request, error):
    """The answer to a refused request; the page shows its sentence."""
    return JSONResponse({"detail": error.detail}, error.status_code)


def must(holds, name, expectation, received):
    """Refuse a request unless something in it meets an expectation."""
    if not holds:
        shown = reprlib.repr(received)
        raise HTTPException(400, f"{name} must {expectation}; received {shown}.")


class Doorkeeper:
    """ASGI middleware: only the page's own names, and `POLICY` in every answer."""

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
                answer = await say(None, error)
        await answer(scope, receive, send_with_policy)

    def check(self, headers):
        """Refuse a request that another site makes, and one that is too large."""
        host = headers.get("host", "").lower()
        match = HOST.fullmatch(host)
        if not match or match[1] not in self.names:
            served = ", ".join(sorted(self.names))
            shown = reprlib.repr(host)
            sentence = f"Host must be one of {served}; received {shown}. --allow-host"
            raise HTTPException(403, f"{sentence} adds a name.")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host:
            shown = reprlib.repr(origin)
            sentence = f"Origin must be this page's, {host}; received {shown}."
            raise HTTPException(403, sentence)
        check_size(int(headers.get("content-length", 0)))


def check_size(size):
    if size > LARGEST_BODY:
        sentence = f"A body must have at most {LARGEST_BODY:,} bytes."
        raise HTTPException(413, sentence)


class Routes:
    """The endpoints that are open."""

    def __init__(self, gradio, blocks):
        self.gradio = gradio
        self.blocks = blocks
        inside = httpx.ASGITransport(gradio)
        self.client = httpx.AsyncClient(transport=inside, trust_env=False)

    async def show(self, request):
        return self.answer_of_gradio(request)

    async def follow(self, request):
        """The stream of answers to what a session asked."""
        session = request.query_params.get("session_hash", "")
        known = session in self.blocks._queue.pending_messages_per_session
        must(known, "session_hash", "be one that has asked for something", session)
        return self.answer_of_gradio(request, f"session_hash={session}".encode())

    def answer_of_gradio(self, request, query=b""):
        """Gradio's answer, as an ASGI application, to a request without its trimmings."""
        headers = [pair for pair in request.scope["headers"] if pair[0] in PASSED_ON]
        scope = request.scope | {"headers": headers, "query_string": query}

        async def answer(_, receive, send):
            await self.gradio(scope, receive, send)

        return answer

    async def join(self, request):
        """Let a request wait for the model, if it is one that the page makes."""
        asked = await read_json(request)
        self.check(asked)
        passed_on = {name: asked[name] for name in ("fn_index", "session_hash", "data")}
        url = f"{request.base_url}{JOIN[1:]}"
        answer = await self.client.post(url, json=passed_on)
        if answer.status_code == 503:
            sentence = f"{WAITING} requests are waiting already: please try again soon."
            raise HTTPException(429, sentence)
        return JSONResponse(answer.json(), answer.status_code)

    def check(self, asked):
        """Refuse what the page does not ask."""
        must(isinstance(asked, dict), "The body", "be a JSON object", asked)
        functions = self.blocks.fns
        index = asked.get("fn_index")
        is_known = type(index) is int and index in functions
        must(is_known, "fn_index", f"be one of {', '.join(map(str, functions))}", index)
        session = asked.get("session_hash")
        is_session = isinstance(session, str) and SESSION.fullmatch(session)
        must(is_session, "session_hash", "be 1 to 64 letters and digits", session)
        # What a session shows can differ: each kind of attention has its own layers.
        holder = self.blocks.state_holder
        shown = holder[session] if session in holder else {}
        fields = functions[index].inputs
        data = asked.get("data")
        is_whole = isinstance(data, list) and len(data) == len(fields)
        must(is_whole, "data", f"be a list of {len(fields)} values", data)
        for field, value in zip(fields, data):
            is_changed = field._id in shown
            check_value(shown[field._id] if is_changed else field, value)


def check_value(field, value):
    """Refuse what a field of the page cannot hold."""
    if isinstance(field, gr.Textbox):
        is_text = isinstance(value, str) and len(value) <= field.max_length
        limit = f"be text of at most {field.max_length} characters"
        must(is_text, field.label, limit, value)
    elif isinstance(field, gr.Dropdown):
        choices = [choice for _, choice in field.choices]
        is_choice = type(value) is type(choices[0]) and value in choices
        must(is_choice, field.label, f"be one of {choices}", value)
    else:  # A gr.State stays with the server.
        must(value is None, "The state", "be null", value)


async def read_json(request):
    """The body of a request.

    It is read no further than it may be long, and no longer than `PATIENCE` allows.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                check_size(len(body))
        return orjson.loads(body)
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, f"A body must arrive in {PATIENCE} seconds.") from None
    except ValueError as error:
        raise HTTPException(400, f"The body must be JSON: {error}.") from None
