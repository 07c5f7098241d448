"""An object store that believes nobody: it computes AWS Signature Version 4 by itself."""

from __future__ import annotations

import hashlib
import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REGION, KEY, SECRET = "eu-test-1", "AKIDEXAMPLE", "secret/with:marks"


def digest(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class ObjectStore:
    """Use as a context manager. `objects` by path; `broken`: answer 500; `refused`: requests that were signed badly."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.refused: list[str] = []
        self.broken = False

    def signed(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        scheme, _, rest = handler.headers["Authorization"].partition(" ")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        key, day, region, service, end = fields["Credential"].split("/")
        names = fields["SignedHeaders"].split(";")
        content = handler.headers["x-amz-content-sha256"]
        lines = "".join(f"{name}:{handler.headers[name].strip()}\n" for name in names)
        canonical = "\n".join([handler.command, handler.path, "", lines, ";".join(names), content])
        stamp = handler.headers["x-amz-date"]
        scope = f"{day}/{region}/{service}/{end}"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signing = ("AWS4" + SECRET).encode()
        for part in (day, region, service, end):
            signing = digest(signing, part)
        return (
            scheme == "AWS4-HMAC-SHA256"
            and (key, region, service, end) == (KEY, REGION, "s3", "aws4_request")
            and {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names)
            and content == hashlib.sha256(body).hexdigest()
            and stamp.startswith(day)
            and hmac.compare_digest(digest(signing, text).hex(), fields["Signature"])
        )

    def answer(self, handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        if not self.signed(handler, body):
            self.refused.append(f"{handler.command} {handler.path}")
            return 403, b"SignatureDoesNotMatch"
        if self.broken:
            return 500, b"InternalError"
        if handler.command == "PUT":
            self.objects[handler.path] = body
            self.types[handler.path] = handler.headers["Content-Type"]
            return 200, b""
        if handler.path not in self.objects:
            return 404, b"NoSuchKey"
        if handler.command == "DELETE":
            del self.objects[handler.path]
            return 204, b""
        return 200, self.objects[handler.path]

    def __enter__(self) -> ObjectStore:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                status, body = store.answer(self)
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_DELETE = handle_any

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.server.server_close()
