"""The application that honest and hostile clients share."""

import time

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", TEXT)
    if path == "/hello":
        return [b"hello\n"]
    if path == "/slow":
        time.sleep(0.2)
        return [b"late"]
    if path == "/big":
        return [b"x" * 20_000_000]
    length = 0
    while piece := environ["wsgi.input"].read(65536):
        length += len(piece)
    return [str(length).encode()]
