"""Applications of all kinds, good and bad ones, by their paths."""

import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qs
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
HERE = os.path.dirname(os.path.abspath(__file__))
LARGE = 200_000


def parameter(environ, name):
    return parse_qs(environ["QUERY_STRING"])[name][0]


def note(name, text):
    with open(os.path.join(HERE, name), "a") as file:
        file.write(text + "\n")


def wait_for(name):
    while not os.path.exists(os.path.join(HERE, name)):
        time.sleep(0.01)


class Closing:
    """An iterable that notes when it is closed."""

    def __init__(self, name, parts):
        self.name, self.parts = name, parts

    def __iter__(self):
        return iter(self.parts)

    def close(self):
        note(self.name, "closed")


class Good:
    def hello(environ, start_response):
        start_response("200 OK", TEXT)
        return [b"hello"]

    def empty(environ, start_response):
        start_response("200 OK", TEXT)
        return []

    def several(environ, start_response):
        start_response("200 OK", TEXT)
        return [b"one ", b"", b"two ", b"three"]

    def tuple(environ, start_response):
        start_response("200 OK", TEXT)
        return (b"a ", b"tuple")

    def generator(environ, start_response):
        start_response("200 OK", TEXT)
        for number in range(5):
            yield f"{number} ".encode()

    def late(environ, start_response):
        """start_response is called when the first part is asked for."""
        yield b""
        start_response("200 OK", TEXT)
        yield b"late"

    def write(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"written ")
        write(b"")
        write(b"twice, ")
        return [b"and returned"]

    def sized(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "5")])
        yield b"he"
        yield b"llo"

    def large(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [b"x" * LARGE]

    def cookies(environ, start_response):
        start_response("200 OK", [*TEXT, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Empty", "")])
        return [environ["HTTP_COOKIE"].encode()]

    def nothing(environ, start_response):
        start_response("204 No Content", [])
        return []

    def lost(environ, start_response):
        start_response("404 Not Found", TEXT)
        return [b"lost"]

    def own(environ, start_response):
        start_response("299 As one likes", TEXT)
        return [b"own"]

    def latin(environ, start_response):
        start_response("200 OK", [*TEXT, ("X-Latin", "caf\xe9")])
        return [environ["PATH_INFO"].encode("latin-1")]

    def paths(environ, start_response):
        start_response("200 OK", TEXT)
        names = ["SCRIPT_NAME", "PATH_INFO", "REQUEST_URI", "REQUEST_METHOD"]
        return ["|".join(environ.get(name, "-") for name in names).encode("latin-1")]

    def read(environ, start_response):
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", TEXT)
        return [str(len(content)).encode(), b" ", content[-3:]]

    def lines(environ, start_response):
        stream = environ["wsgi.input"]
        lines = [stream.readline(), stream.readline(3), stream.readline(), *stream.readlines(1), *stream]
        start_response("200 OK", TEXT)
        return [repr(lines).encode()]

    def pieces(environ, start_response):
        """More is read than there is."""
        stream, pieces = environ["wsgi.input"], []
        while piece := stream.read(7):
            pieces.append(piece)
        start_response("200 OK", TEXT)
        return [b"|".join(pieces), b"." + stream.read(7) + stream.readline()]

    def file(environ, start_response):
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"](open(os.path.join(HERE, "hello.txt"), "rb"), 4)

    def errors(environ, start_response):
        environ["wsgi.errors"].write("this goes to the log\n")
        environ["wsgi.errors"].writelines(["this ", "too\n"])
        environ["wsgi.errors"].flush()
        start_response("200 OK", TEXT)
        return [b"noted"]

    def environ(environ, start_response):
        start_response("200 OK", TEXT)
        names = parameter(environ, "names").split(",")
        return ["\n".join(f"{name}={environ.get(name)!r}" for name in names).encode()]

    def error_page(environ, start_response):
        """Another response instead of one whose head has not been sent."""
        start_response("200 OK", [*TEXT, ("X-First", "1")])
        try:
            raise ValueError("no")
        except ValueError:
            start_response("500 Internal Server Error", TEXT, sys.exc_info())
        return [b"an error page"]

    def closing(environ, start_response):
        start_response("200 OK", TEXT)
        return Closing("closing", [b"a", b"b"])


class Bad:
    def raises(environ, start_response):
        raise ValueError("before start_response")

    def raises_after(environ, start_response):
        start_response("200 OK", TEXT)
        raise ValueError("after start_response")

    def exits(environ, start_response):
        sys.exit(3)

    def silent(environ, start_response):
        return [b"without a head"]

    def text(environ, start_response):
        start_response("200 OK", TEXT)
        return ["text"]

    def none(environ, start_response):
        start_response("200 OK", TEXT)

    def status_bytes(environ, start_response):
        start_response(b"200 OK", TEXT)
        return [b""]

    def status_number(environ, start_response):
        start_response("2000", TEXT)
        return [b""]

    def status_early(environ, start_response):
        start_response("100 Continue", TEXT)
        return [b""]

    def status_early_stream(environ, start_response):
        start_response("100 Continue", TEXT)
        yield b"a"
        yield b"b"

    def headers_tuple(environ, start_response):
        start_response("200 OK", tuple(TEXT))
        return [b""]

    def headers_bytes(environ, start_response):
        start_response("200 OK", [(b"X", b"y")])
        return [b""]

    def headers_break(environ, start_response):
        start_response("200 OK", [("X", "a\r\nSet-Cookie: b=c")])
        return [b""]

    def headers_return(environ, start_response):
        start_response("200 OK", [("X", "a\rSet-Cookie: b=c")])
        return [b""]

    def headers_nul(environ, start_response):
        start_response("200 OK", [("X", "a\0b")])
        return [b""]

    def headers_unicode(environ, start_response):
        start_response("200 OK", [("X", "\u20ac")])
        return [b""]

    def headers_huge(environ, start_response):
        start_response("200 OK", [("X", "a" * 300_000)])
        return [b""]

    def twice(environ, start_response):
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return [b""]


class Breaking:
    """They fail when a part of the response is on its way."""

    def raises(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"part"
        raise ValueError("in the middle")

    def exc_info(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"part"
        try:
            raise KeyError("too late")
        except KeyError:
            start_response("500 Oops", TEXT, sys.exc_info())
        note("exc_info", "not reached")

    def text(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"part"
        yield "text"

    def short(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "10")])
        return [b"part"]

    def short_stream(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "10")])
        yield b"part"

    def dies(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"part"
        os._exit(1)

    def killed(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"part"
        os.kill(os.getpid(), signal.SIGKILL)
        yield b"more"


class Special:
    def pid(environ, start_response):
        start_response("200 OK", TEXT)
        return [str(os.getpid()).encode()]

    def dies(environ, start_response):
        os._exit(1)

    def dies_later(environ, start_response):
        note("begun", "1")
        wait_for("die")
        os._exit(1)

    def hangs(environ, start_response):
        note("begun", "1")
        threading.Event().wait()

    def hogs(environ, start_response):
        """Holds the interpreter's lock for ever."""
        import re

        note("pid", str(os.getpid()))
        re.match(r"(a+)+$", "a" * 64 + "b")

    def waits(environ, start_response):
        note("begun", "1")
        wait_for(parameter(environ, "for"))
        start_response("200 OK", TEXT)
        return [b"waited"]

    def together(environ, start_response, barrier=threading.Barrier(4)):
        barrier.wait(8)
        start_response("200 OK", TEXT)
        return [b"together"]

    def endless(environ, start_response):
        start_response("200 OK", TEXT)

        def parts():
            for number in range(1_000_000):
                with open(os.path.join(HERE, "count"), "w") as file:
                    file.write(str(number))
                yield b"x" * 65536

        return Closing("endless", parts())

    def breaks(environ, start_response):
        start_response("200 OK", TEXT)

        def parts():
            yield b"part"
            raise ValueError("in the middle")

        return Closing("breaks", parts())

    def too_long(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "4")])
        return [b"longer"]

    def too_long_stream(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "4")])
        yield b"lon"
        yield b"ger"

    def hop_by_hop(environ, start_response):
        start_response("200 OK", [*TEXT, ("Connection", "close"), ("Transfer-Encoding", "chunked")])
        return [b"hop"]

    def not_modified(environ, start_response):
        start_response("304 Not Modified", [("ETag", '"a"')])
        return [b"content all the same"]

    def echo(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        while data := environ["wsgi.input"].read(65536):
            yield data

    def big(environ, start_response):
        start_response("200 OK", TEXT)
        for _ in range(320):
            yield b"x" * 65536

    def whole(environ, start_response):
        """The content, read as Django reads it: as much as CONTENT_LENGTH says."""
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [*TEXT, ("X-Coding", environ.get("HTTP_TRANSFER_ENCODING", "none"))])
        return [content]

    def rest(environ, start_response):
        content = environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        return [str(len(content)).encode()]

    def handles(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError:
            start_response("200 OK", TEXT)
            return [b"handled"]

    def unread(environ, start_response):
        start_response("200 OK", TEXT)
        return [environ["wsgi.input"].read(3)]

    def cut_off(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            note("cut_off", str(error))
            raise


def dispatch(*groups):
    def app(environ, start_response):
        name = f"{environ['PATH_INFO']}/".split("/")[1]
        for group in groups:
            if handler := vars(group).get(name):
                return handler(environ, start_response)
        start_response("404 Not Found", TEXT)
        return [b"no such application"]

    return app


plain = dispatch(Good, Special)
valid = validator(dispatch(Good))
bad = dispatch(Bad, Good)
breaking = dispatch(Breaking, Good)
number = 5
