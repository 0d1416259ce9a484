def record(method, target, body):
    with open("{folder}/record", "a") as file:
        file.write(f"{method} {target} {body.hex()}\n")


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    record(environ["REQUEST_METHOD"], environ["RAW_URI"], body)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"seen"]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return
        body += event["body"]
        if not event["more_body"]:
            break
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    record(scope["method"], target.decode("latin-1"), body)
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"seen"})
