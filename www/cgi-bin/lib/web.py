"""One request and its answer, by the rules of CGI/1.1 (RFC 3875).

The request comes in the environment and the standard input, the answer leaves by the standard output.
What goes wrong is a `Failure`, which becomes a page; anything else that is raised becomes a 500, and its
traceback goes to the standard error, never to the client.
"""

import os
import re
import sys
from http import HTTPStatus
from typing import Callable, NamedTuple
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from lib import page

FORM_BYTES = 64 * 1024
FORM_FIELDS = 64
FORM_TYPE = "application/x-www-form-urlencoded"

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

COMMON_FIELDS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy",
     "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"),
    ("X-Content-Type-Options", "nosniff"),
)


class Failure(Exception):
    """A request that cannot be served: a status, a sentence for the reader, further header fields."""

    def __init__(self, status: int, message: str, *fields: tuple):
        super().__init__(message)
        self.status = HTTPStatus(status)
        self.message = message
        self.fields = fields


class Answer(NamedTuple):
    """What a program answers."""

    body: str
    status: int = 200
    content_type: str = HTML
    fields: tuple = ()


class Fields(dict):
    """The fields of a form or a query: a name and the list of its values."""

    def one(self, name: str) -> str:
        """The first value, or an empty string."""
        return self.get(name, [""])[0]


class Request:
    """A request, as the server describes it in the environment (RFC 3875 section 4.1)."""

    def __init__(self, environ=os.environ):
        self.environ = environ
        self.method = environ.get("REQUEST_METHOD", "GET")
        # One slash: a path that begins with two would be the name of another host.
        self.path = "/" + quote(os.fsencode(environ.get("SCRIPT_NAME", "")).lstrip(b"/"))
        self.root = self.path.rpartition("/cgi-bin/")[0] + "/"
        length = environ.get("CONTENT_LENGTH") or "0"
        # At most 15 digits: to read a number of a million digits takes long.
        self.unread = int(length) if re.fullmatch("[0-9]{1,15}", length) else None

    def query(self) -> Fields:
        """The decoded query; 400 if it is broken."""
        return decode(os.fsencode(self.environ.get("QUERY_STRING", "")))

    def form(self) -> Fields:
        """The decoded form of a POST: 403, 413, 415 or 400 if it cannot be taken."""
        if self.environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
            raise Failure(403, "This form was sent by a page of another site.")
        self._require_form_type()
        if self.unread is None:
            raise Failure(400, "The length of the content has to be a number of at most 15 digits.")
        if self.unread > FORM_BYTES:
            raise Failure(413, f"A form may have {FORM_BYTES // 1024} KiB, and this one is larger.")
        content = sys.stdin.buffer.read(self.unread)
        if len(content) < self.unread:
            raise Failure(400, "The content of the request ended too early.")
        self.unread = 0
        return decode(content)

    def discard(self):
        """Reads what is left of the content: there are servers that cut the answer of a program that ends before."""
        while self.unread and (content := sys.stdin.buffer.read(min(self.unread, FORM_BYTES))):
            self.unread -= len(content)

    def prefers_text(self) -> bool:
        """Whether the client likes plain text better than a page (RFC 9110 section 12.5.1)."""
        accept = self.environ.get("HTTP_ACCEPT", "")
        return quality(accept, "text/plain") > quality(accept, "text/html")

    def redirect(self, query: str) -> Answer:
        """A 303 to this program: what is reloaded afterwards is a page, not the form that was sent."""
        # RFC 3875 section 6.2.4: a redirect that comes with a document has an absolute URI.
        location = f"{self.origin()}{self.path}?{query}"
        body = page.render(self, "Thank you", f'<p>It goes on at <a href="{page.text(location)}">this page</a>.</p>')
        return Answer(body, 303, fields=(("Location", location),))

    def origin(self) -> str:
        """Scheme and host as the client knows them."""
        host = self.environ.get("HTTP_HOST", "")
        if not re.fullmatch(r"[\w.:\[\]-]+", host, re.ASCII):
            host = f"{self.environ.get('SERVER_NAME', 'localhost')}:{self.environ.get('SERVER_PORT', '80')}"
        # Behind a proxy that ends TLS only the browser knows the scheme.
        secure = self.environ.get("HTTP_ORIGIN") == f"https://{host}" or self.environ.get("HTTPS", "").lower() in ("on", "1")
        return f"{'https' if secure else 'http'}://{host}"

    def _require_form_type(self):
        kind, _, parameters = self.environ.get("CONTENT_TYPE", "").lower().partition(";")
        charset = parameters.strip().removeprefix("charset=").strip('"')
        coding = self.environ.get("HTTP_CONTENT_ENCODING", "").lower()
        if kind.strip() != FORM_TYPE or charset not in ("", "utf-8") or coding not in ("", "identity"):
            raise Failure(415, f"A form has to come as {FORM_TYPE}, in UTF-8 and not compressed.", ("Accept", FORM_TYPE))


def decode(content: bytes) -> Fields:
    """Decodes `name=value&name=value`, in UTF-8; 400 if that is not what it is."""
    if re.search(rb"%(?![0-9A-Fa-f]{2})", content):
        raise Failure(400, "A percent sign has to be followed by two hexadecimal digits.")
    fields = Fields()
    try:
        unquote_to_bytes(content).decode()
        pairs = parse_qsl(content.decode(), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS)
    except UnicodeDecodeError:
        raise Failure(400, "What was sent is not text in UTF-8.") from None
    except ValueError:
        raise Failure(400, f"There are more than {FORM_FIELDS} fields.") from None
    for name, value in pairs:
        fields.setdefault(name, []).append(clean(value))
    return fields


def clean(value: str) -> str:
    """Text as typed: lines end with a line feed, no other control characters but tabs, no blanks around."""
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", value).strip()


def quality(accept: str, media_type: str) -> float:
    """How much a client likes a media type; the most specific range that fits counts."""
    best = (-1, 0.0)
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        ranges = ("*/*", media_type.partition("/")[0] + "/*", media_type)
        if name in ranges:
            best = max(best, (ranges.index(name), weight(parameters)))
    return best[1]


def weight(parameters: list) -> float:
    """The `q` of a media range: 1 if there is none, 0 if it cannot be read."""
    for parameter in parameters:
        if parameter.startswith("q="):
            return float(parameter[2:]) if re.fullmatch(r"[01](\.\d{0,3})?", parameter[2:]) else 0.0
    return 1.0


def run(program: Callable[[Request], Answer], *methods: str):
    """Answers one request with a program that takes the methods (and HEAD, where it takes GET)."""
    request = Request()
    try:
        answer = serve(request, program, methods)
    except Failure as failure:
        answer = explain(request, failure)
    except Exception:  # Whatever a program of ours gets wrong, the client gets a page.
        import traceback
        traceback.print_exc()
        answer = explain(request, Failure(500, "The program has made a mistake; the log of the server says which."))
    request.discard()
    write(request, answer)


def serve(request: Request, program: Callable[[Request], Answer], methods: tuple) -> Answer:
    """Refuses what no program wants, and asks the program for the rest."""
    if request.method not in methods:
        raise Failure(405, f"This program takes {' and '.join(methods)} only.", ("Allow", ", ".join(methods)))
    if request.environ.get("PATH_INFO"):
        raise Failure(404, "There is nothing below this program.")
    return program(request)


def explain(request: Request, failure: Failure) -> Answer:
    """The page of a failure."""
    body = f'<p class="problem">{page.text(failure.message)}</p>\n<p><a href="{request.path}">Begin again</a></p>'
    return Answer(page.render(request, f"{failure.status.value} {failure.status.phrase}", body),
                  failure.status, fields=failure.fields)


def write(request: Request, answer: Answer):
    """Writes the answer (RFC 3875 section 6); for HEAD its header alone."""
    content = answer.body.encode(errors="replace")
    status = HTTPStatus(answer.status)
    fields = (("Status", f"{status.value} {status.phrase}"), ("Content-Type", answer.content_type),
              ("Content-Length", len(content)), *COMMON_FIELDS, *answer.fields)
    head = "".join(f"{name}: {value}\n" for name, value in fields) + "\n"
    try:
        sys.stdout.buffer.write(head.encode() + (b"" if request.method == "HEAD" else content))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nobody waits for the answer any more. The interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
