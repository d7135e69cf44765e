"""A mirror of the hub's HTTP layout for one model, on the loopback interface."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "someone/opus-mt-xx-yy"
COMMIT = "1234567890abcdef1234567890abcdef12345678"


def answer(path, files, refused):
    """The status, the content and the headers for a path."""
    path = path.partition("?")[0]
    if path == f"/api/models/{NAME}/tree/{COMMIT}":
        tree = [
            {"type": "file", "path": name, "size": len(content), "oid": name}
            for name, content in files.items()
        ]
        return 200, json.dumps(tree).encode(), {}
    for revision in ("main", "v1", COMMIT):
        if path == f"/api/models/{NAME}/revision/{revision}":
            siblings = [{"rfilename": name} for name in files]
            model = {"id": NAME, "sha": COMMIT, "siblings": siblings}
            return 200, json.dumps(model).encode(), {}
        name = path.removeprefix(f"/{NAME}/resolve/{revision}/")
        if name in refused:
            return 404, b"", {"X-Error-Code": "EntryNotFound"}
        if name in files:
            etag = hashlib.sha256(files[name]).hexdigest()
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}
            return 200, files[name], headers
    if "gated" in path:
        return 403, b"{}", {"X-Error-Code": "GatedRepo"}
    kind = "RevisionNotFound" if NAME in path else "RepoNotFound"
    return 404, b"{}", {"X-Error-Code": kind}


@contextlib.contextmanager
def mirror(files, refused=()):
    """Serve `files`, bytes by name, but for those `refused`, which are only listed.

    Gives the address and the list of requests: (method, path, headers).
    """
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.command, self.path, dict(self.headers)))
            status, content, headers = answer(self.path, files, refused)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
