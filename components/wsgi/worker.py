"""The Python side of the WSGI server: loads an application and calls it (PEP 3333). Only the standard library.

Standard input is the control socket. Over it go the sockets that this program makes, and what is to be known of it:

    our side                                                    this program
    control  <-- Q queue, lifeline, ledger · C a channel --------  main thread, each thread
             <-- R ready · L text: not loaded · M: its source has changed · B number: the last request that it keeps, or 0
             <-- K number: a request that it has not begun
             <-- U number and a socket: the connection of this request is wanted itself; a byte over that socket says that it is had
             --> H: one more thread is needed · B: what nobody has begun is wanted back · S: stop
    queue    --> requests --------------------------------------->  whichever thread waits
    channel  <-- A H D E W F C: the response --------------------  one for each thread
             --> D E X: content

Requests are numbered by the order in which they come. The ledger is memory that both sides share: in it stands how many requests have
been begun, so that our side knows which it may give to another process if this one is lost. Behind it our side notes the requests that
nobody waits for any more. frame.rs says how frames look.

At any time one thread waits at the queue, so that threads do not contend for the interpreter while one is enough; when a
request has to wait for long, our side asks for one more.
"""

import mmap
import os
import socket
import struct
import sys
import threading
from collections import deque
from io import BytesIO
from itertools import chain

# Kinds of requests: the body comes with it, or when it is asked for.
WITH_BODY, ASKS_FOR_BODY = b"BP"
# A frame of content is as long as this at the most.
CHUNK = 64 * 1024
# The head of a response is no longer than this.
HEAD = 256 * 1024
# So many places the ledger has for the numbers of requests that nobody waits for any more.
WITHDRAWN = 256
# So many sets of names of variables are kept.
KNOWN = 256
# A text for our side is no longer than this.
LINE = 4096
# Seconds between two looks at the source files.
WATCH = 1

# What stands before each frame: its kind and its length. Before what begins a response, the number of the request too.
FRAME = struct.Struct(">cI")
ANSWER = struct.Struct(">cIQ")


class Stop(Exception):
    """The response is not wanted any more."""


class Channel:
    """What one thread has: a socket for responses and content. Our side shuts it when the client of a response has gone."""

    def __init__(self, control):
        self.control = control
        # The last request that our side has heard of over this channel.
        self.last = 0
        self.open()

    def open(self):
        self.socket, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"C" + self.last.to_bytes(8, "big")], [theirs.fileno()])
        self.send = self.socket.sendall
        self.is_cut = False

    def renew(self):
        self.socket.close()
        self.open()

    def frame(self):
        """The next frame of content: its kind, and what it holds."""
        kind, length = FRAME.unpack(self.exactly(FRAME.size))
        return kind, self.exactly(length)

    def exactly(self, length):
        data = self.socket.recv(length, socket.MSG_WAITALL) if length else b""
        if len(data) < length:
            self.is_cut = True
            raise OSError("the client has gone")
        return data


class Queue:
    """The requests, each of them bytes, in the order in which they come."""

    def __init__(self, control):
        self.socket, requests = socket.socketpair()
        self.receive = self.socket.recv
        self.lifeline, theirs = hold_lifeline()
        ledger = os.memfd_create("wsgi ledger")
        size = 8 * (1 + WITHDRAWN)
        os.ftruncate(ledger, size)
        self.ledger = memoryview(mmap.mmap(ledger, size)).cast("Q")
        self.control = control
        socket.send_fds(control, [b"Q"], [requests.fileno(), theirs.fileno(), ledger])
        for end in (requests, theirs):
            end.close()
        os.close(ledger)
        self.begun = 0
        self.waiting = deque()
        # The beginning of a frame whose rest has not come yet.
        self.part = b""

    def take(self):
        """Waits for a request; gives its number too. No request is there at the end."""
        ledger = self.ledger
        while True:
            while not self.waiting:
                data = self.receive(CHUNK)
                if not data:
                    return 0, b""
                self.split(data)
            self.begun += 1
            ledger[0] = self.begun
            request = self.waiting.popleft()
            if ledger[1 + self.begun % WITHDRAWN] != self.begun:
                return self.begun, request
            self.control.send(b"K" + self.begun.to_bytes(8, "big"))

    def split(self, data):
        if self.part:
            data = self.part + data
        start, length = 0, len(data)
        while length - start >= 5:
            end = start + 5 + int.from_bytes(data[start + 1 : start + 5], "big")
            if end > length:
                break
            self.waiting.append(data[start:end])
            start = end
        self.part = data[start:]

    def give_back(self):
        """Forgets the requests that nobody has begun; gives the number of the last one that somebody has."""
        self.waiting.clear()
        try:
            while data := self.socket.recv(CHUNK, socket.MSG_DONTWAIT):
                self.split(data)
                self.waiting.clear()
        except BlockingIOError:
            pass
        return self.begun


class Input:
    """`wsgi.input`: content is asked for when the application first reads, and comes as fast as that reads."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.buffer = b""
        # Before the first read, while content comes, after its end, or when the rest will not come.
        self.state = "new"

    def receive(self):
        """The next bytes, b"" at the end."""
        if self.state == "end":
            return b""
        if self.state == "new":
            self.exchange.announce(ANSWER.pack(b"W", 8, self.exchange.number))
            self.state = "open"
        kind, data = self.exchange.channel.frame() if self.state == "open" else (b"X", b"")
        if kind == b"D":
            return data
        if kind == b"E":
            self.state = "end"
            return b""
        self.state = "cut"
        raise OSError("the content of the request was cut off")

    def read(self, size=-1):
        if size is None or size < 0:
            parts = [self.buffer]
            while data := self.receive():
                parts.append(data)
            self.buffer = b""
            return b"".join(parts)
        if not self.buffer and size:
            self.buffer = self.receive()
        if len(self.buffer) < size:
            parts, length = [self.buffer], len(self.buffer)
            while length < size and (data := self.receive()):
                parts.append(data)
                length += len(data)
            self.buffer = b"".join(parts)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def readline(self, size=-1):
        limit = -1 if size is None or size < 0 else size
        parts, length = [], 0
        while True:
            data = self.buffer or self.receive()
            end = data.find(b"\n") + 1 or len(data)
            if 0 <= limit - length < end:
                end = limit - length
            parts.append(data[:end])
            self.buffer = data[end:]
            length += end
            if not data or length == limit or data[end - 1 : end] == b"\n":
                return b"".join(parts)

    def readlines(self, hint=-1):
        lines, length = [], 0
        for line in self:
            lines.append(line)
            length += len(line)
            if hint is not None and 0 < hint <= length:
                break
        return lines

    def __iter__(self):
        return iter(self.readline, b"")

    def finish(self):
        """Reads away what the application has not read, up to where our side says that no more comes."""
        try:
            while self.state == "open":
                self.receive()
        except OSError:
            pass
        self.state, self.buffer = "end", b""


class NoInput:
    """`wsgi.input` of a request without content."""

    def read(self, size=-1):
        return b""

    readline = read

    def readlines(self, hint=-1):
        return []

    def __iter__(self):
        return iter(())


class FileWrapper:
    """`wsgi.file_wrapper`: the blocks of a file-like object."""

    def __init__(self, filelike, blksize=CHUNK):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.blksize)
        if not data:
            raise StopIteration
        return data


class Upgrade(socket.socket):
    """`werkzeug.socket`: the connection of a request for a WebSocket. At its first use our side hands the connection over."""

    def __init__(self, exchange):
        mine, self.theirs = socket.socketpair()
        super().__init__(fileno=mine.detach())
        self.exchange = exchange

    def take(self):
        theirs, self.theirs = self.theirs, None
        with theirs:
            number = self.exchange.number.to_bytes(8, "big")
            socket.send_fds(self.exchange.channel.control, [b"U" + number], [theirs.fileno()])
        self.exchange.is_upgraded = True
        if not super().recv(1):
            raise ConnectionError("the client has gone")

    def recv(self, *arguments):
        if self.theirs:
            self.take()
        return super().recv(*arguments)

    def recv_into(self, *arguments):
        if self.theirs:
            self.take()
        return super().recv_into(*arguments)

    def send(self, *arguments):
        if self.theirs:
            self.take()
        return super().send(*arguments)

    def sendall(self, *arguments):
        if self.theirs:
            self.take()
        return super().sendall(*arguments)

    def end(self):
        """The application has returned: nothing more is sent."""
        if self.theirs:
            self.theirs.close()
            self.close()
            return
        try:
            self.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Exchange:
    """One request and its response."""

    __slots__ = ("channel", "number", "head", "is_announced", "is_begun", "is_head", "is_upgraded")

    def __init__(self, channel, number):
        self.channel = channel
        self.number = number
        # Status and fields, once the application has called start_response.
        self.head = None
        # Whether our side has heard of it, and whether a part of the response is on its way.
        self.is_announced = False
        self.is_begun = False
        self.is_head = False
        # Whether the application has taken the connection over.
        self.is_upgraded = False

    def start_response(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self.is_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head:
            raise AssertionError("start_response was called again without exc_info")
        if type(status) is not str:
            raise TypeError(f"the status must be a str, not {type(status).__name__}")
        if type(headers) is not list:
            raise TypeError(f"the headers must be a list, not {type(headers).__name__}")
        self.head = (status, headers)
        return self.write

    def encode_head(self):
        """The head of the response: its parts end with LF, itself with NUL."""
        if self.head is None:
            raise AssertionError("the application has not called start_response")
        status, headers = self.head
        parts = [status]
        parts.extend(chain.from_iterable(headers))
        head = "\n".join(parts)
        # What stands between the parts stands in none of them: no part of the head can pass for another one.
        if head.count("\n") != 2 * len(headers) or "\0" in head:
            raise ValueError("a header is no pair, or has a line break or NUL in it")
        if len(head) > HEAD:
            raise ValueError(f"the head of the response is longer than {HEAD} bytes")
        return head.encode("latin-1")

    def write(self, data):
        if not isinstance(data, bytes):
            raise TypeError(f"bytes are wanted of the application, not {type(data).__name__}")
        if not data or self.is_upgraded:
            return
        if not self.is_begun:
            self.begin(b"H", data if len(data) <= CHUNK else b"")
            if len(data) <= CHUNK:
                return
        if self.is_head:
            return
        if len(data) <= CHUNK:
            self.put(FRAME.pack(b"D", len(data)) + data)
            return
        view = memoryview(data)
        for start in range(0, len(data), CHUNK):
            part = view[start : start + CHUNK]
            self.put(FRAME.pack(b"D", len(part)) + part)

    def begin(self, kind, data):
        """Sends the head, and the first of the content or all of it."""
        head = self.encode_head()
        if self.is_head:
            data = b""
        self.is_begun = True
        self.announce(b"".join((ANSWER.pack(kind, 9 + len(head) + len(data), self.number), head, b"\0", data)))

    def announce(self, frame):
        """Sends a frame that may be the first that our side hears of this request."""
        if not self.is_announced:
            self.is_announced = True
            try:
                self.channel.send(frame)
            except OSError:
                # The channel was shut because of an earlier request.
                self.channel.renew()
                self.put(frame)
            self.channel.last = self.number
        else:
            self.put(frame)

    def put(self, frames):
        try:
            self.channel.send(frames)
        except OSError:
            self.channel.is_cut = True
            raise Stop from None

    def respond(self, result):
        """Sends what the application has returned, piece by piece."""
        try:
            for data in result:
                self.write(data)
                if self.is_head and self.is_begun:
                    break
            if self.is_begun:
                self.put(FRAME.pack(b"E", 0))
            else:
                self.begin(b"A", b"")
        finally:
            if hasattr(result, "close"):
                result.close()

    def leave(self, result):
        """Ends a request whose connection was taken over: there is no other response."""
        if hasattr(result, "close"):
            result.close()
        self.head = ("200 OK", [])
        self.begin(b"A", b"")

    def fail(self, error):
        """The application has failed: its trace is for the log, one line of it for our side."""
        if self.channel.is_cut:
            return
        import traceback

        text = f"Traceback of a request: {''.join(traceback.format_exception(error))}"
        line = one_line(error).encode(errors="replace")[:LINE]
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
            if self.is_begun:
                self.put(FRAME.pack(b"C", len(line)) + line)
            else:
                self.announce(ANSWER.pack(b"F", 8 + len(line), self.number) + line)
        except (OSError, Stop, ValueError):
            pass


class Threads:
    """The threads that call the application."""

    def __init__(self, application, control, queue, count):
        self.application = application
        self.control = control
        self.queue = queue
        # Held by the thread that waits at the queue.
        self.turn = threading.Lock()
        # Names of variables, as they came and taken apart.
        self.known = {}
        # Threads that sleep until they are needed.
        self.asleep = 0
        self.needed = threading.Semaphore(0)
        self.base = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": NoInput(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": count > 1,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            # Reading `wsgi.input` to its end is safe, also without a Content-Length.
            "wsgi.input_terminated": True,
        }
        for number in range(count):
            name = f"wsgi-{number}"
            threading.Thread(target=self.run, name=name, daemon=True).start()

    def wake(self):
        """One more thread is needed, if there is one."""
        if self.asleep:
            self.asleep -= 1
            self.needed.release()

    def give_back(self):
        """What nobody has begun is for other processes."""
        number = 0
        # While a thread waits at the queue, nothing is there.
        if self.turn.acquire(False):
            number = self.queue.give_back()
            self.turn.release()
        self.control.send(b"B" + number.to_bytes(8, "big"))

    def learn(self, names):
        """The names of variables, which are mostly those of an earlier request."""
        if len(self.known) >= KNOWN:
            self.known.clear()
        self.known[names] = tuple(map(sys.intern, names.decode("latin-1").split("\0")))
        return self.known[names]

    def run(self):
        try:
            # Woken, it does not push aside the server, which is about to send more: on a busy core it then takes several requests at
            # once. Children are like others.
            os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        except OSError:
            # Where it is not allowed, it is a little slower.
            pass
        channel = Channel(self.control)
        turn, take = self.turn, self.queue.take
        base, known, application = self.base, self.known, self.application
        while True:
            if not turn.acquire(False):
                # Another thread waits already.
                self.asleep += 1
                self.needed.acquire()
                turn.acquire()
            number, request = take()
            turn.release()
            if not request:
                return
            exchange = Exchange(channel, number)
            content = upgrade = None
            try:
                kind, start, body = request[0], 9, None
                if kind == WITH_BODY:
                    start, length = 13, len(request) - int.from_bytes(request[5:9], "big")
                    request, body = request[:length], request[length:]
                end = start + int.from_bytes(request[start - 4 : start], "big")
                names = known.get(request[start:end]) or self.learn(request[start:end])
                environ = base.copy()
                environ.update(zip(names, str(request[end:], "latin-1").split("\0")))
                if body is not None:
                    environ["wsgi.input"] = BytesIO(body)
                elif kind == ASKS_FOR_BODY:
                    content = environ["wsgi.input"] = Input(exchange)
                if environ["REQUEST_METHOD"] == "HEAD":
                    exchange.is_head = True
                if "werkzeug.socket" in environ:
                    upgrade = environ["werkzeug.socket"] = Upgrade(exchange)
                result = application(environ, exchange.start_response)
                if exchange.is_upgraded:
                    exchange.leave(result)
                elif (
                    type(result) is list
                    and len(result) == 1
                    and type(result[0]) is bytes
                    and len(result[0]) <= CHUNK
                    and not exchange.is_begun
                ):
                    # Most responses are complete at once.
                    exchange.begin(b"A", result[0])
                else:
                    exchange.respond(result)
            except Stop:
                pass
            except BaseException as error:
                exchange.fail(error)
                error = None
            if content:
                content.finish()
            if upgrade:
                upgrade.end()
            result = environ = upgrade = None
            if channel.is_cut:
                channel.renew()


def load(name):
    """The application that `package.module:attribute` names."""
    import importlib

    module, _, attribute = name.partition(":")
    application = importlib.import_module(module)
    for part in attribute.split("."):
        application = getattr(application, part)
    if not callable(application):
        raise TypeError(f"{name} is no application: it cannot be called")
    return application


class Sources:
    """The files of the modules that are loaded, and when they were last changed."""

    def __init__(self, extra=()):
        self.times = {}
        self.extra = extra
        self.have_changed()

    def have_changed(self):
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        changed = False
        for file in files.union(self.extra):
            if not file or not os.path.isabs(file):
                continue
            try:
                time = os.stat(file).st_mtime_ns
            except OSError:
                time = None
            changed = changed or self.times.setdefault(file, time) != time
        return changed


def hold_lifeline():
    """A socket whose other end is our side's. When that is gone, the system ends this process, whatever its threads are at."""
    import fcntl

    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fcntl.fcntl(mine, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(mine, fcntl.F_SETFL, fcntl.fcntl(mine, fcntl.F_GETFL) | os.O_ASYNC)
    return mine, theirs


def follow(control, threads, sources):
    """Does what our side says, and watches the source if there is one to be watched, until the end."""
    control.settimeout(WATCH if sources else None)
    while True:
        try:
            message = control.recv(1)
        except TimeoutError:
            if sources and sources.have_changed():
                sources = None
                control.settimeout(None)
                control.send(b"M")
            continue
        if message == b"H" and threads:
            threads.wake()
        elif message == b"B" and threads:
            threads.give_back()
        elif message == b"S":
            return
        elif not message:
            os._exit(0)


def one_line(error):
    """An error, and where in the application it came from."""
    import traceback

    line = traceback.format_exception_only(error)[-1].strip().split("\n")[0]
    if isinstance(error, SyntaxError) and error.filename:
        # No frame is in a file that could not be compiled.
        return f"{line} ({error.filename}, line {error.lineno})"
    own = os.path.dirname(os.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if os.path.isabs(frame.filename) and os.path.dirname(frame.filename) not in (own, f"{own}/importlib")
    ]
    if frames:
        line += f" ({frames[-1].filename}, line {frames[-1].lineno})"
    return line


def failed_files(error):
    """Where an error happened, also if the file could not even be compiled."""
    import traceback

    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return [*files, getattr(error, "filename", None)]


def main(name, count, folder, watches):
    import signal

    # Ctrl-C is for our side, which then ends this process. A handler, because what is ignored is ignored in children too.
    signal.signal(signal.SIGINT, lambda *_: None)
    control = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as null:
        os.dup2(null.fileno(), 0)
    sys.stdout.reconfigure(line_buffering=True)
    sys.stderr.reconfigure(line_buffering=True)
    sys.argv[1:] = []
    sys.path[:] = [folder, *(path for path in sys.path if path)]
    queue = Queue(control)
    threads, sources = None, None
    try:
        application = load(name)
        sources = Sources() if watches else None
        threads = Threads(application, control, queue, count)
        control.send(b"R")
    except BaseException as error:
        if watches:
            sources = Sources(failed_files(error))
        control.send(b"L" + one_line(error).encode(errors="replace")[:LINE])
    follow(control, threads, sources)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "reload")
