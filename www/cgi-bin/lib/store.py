"""Records on the disk, one JSON object a line, the oldest first.

A writer holds a lock, writes a new file beside the old one and renames it; so a reader needs no lock and
never sees half of a file, and neither does who comes after a crash.
"""

import contextlib
import fcntl
import json
import os
import re
import signal

from lib.web import Failure

LOCK_SECONDS = 10


class Store:
    """The records of one program: `<folder>/<name>.jsonl`, of which the newest are kept."""

    def __init__(self, name: str, variable: str, keep: int):
        self.keep = keep
        self.folder = data_folder(variable)
        self.path = os.path.join(self.folder, f"{name}.jsonl")
        with self._explained():
            os.makedirs(self.folder, mode=0o700, exist_ok=True)

    def records(self) -> list:
        """All records, the oldest first."""
        with self._explained():
            try:
                with open(self.path, "rb") as file:
                    lines = file.read().split(b"\n")
            except FileNotFoundError:
                return []
        return [self._record(number, line) for number, line in enumerate(lines, 1) if line]

    def add(self, record: dict):
        """Adds a record and its `id`, unless there is one from the same form already."""
        with self._explained(), self._locked():
            records = self.records()
            if record["form"] and any(record["form"] == other["form"] for other in records):
                return
            record["id"] = records[-1]["id"] + 1 if records else 1
            self._replace([*records, record][-self.keep:])

    def _record(self, number: int, line: bytes) -> dict:
        try:
            record = json.loads(line)
            return {"id": int(record["id"]), "form": "", **record}
        except (ValueError, KeyError, TypeError):
            raise Failure(500, f"Line {number} of {self.path} is not a record. Mend or remove it.") from None

    def _replace(self, records: list):
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        fresh = self.path + ".new"
        with open(fresh, "wb", opener=private) as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _locked(self):
        """The lock of the writers; 503 if it cannot be had in time."""
        with open(self.path + ".lock", "wb", opener=private) as lock:
            signal.signal(signal.SIGALRM, busy)
            signal.alarm(LOCK_SECONDS)
            fcntl.flock(lock, fcntl.LOCK_EX)
            signal.alarm(0)
            yield

    @contextlib.contextmanager
    def _explained(self):
        """Says which folder it was that the system refused, and why."""
        try:
            yield
        except OSError as error:
            raise Failure(500, f"The folder {self.folder}, where this program keeps what it is told, "
                               f"cannot be used: {error.strerror}.") from error


def data_folder(variable: str) -> str:
    """The folder of a program: `$<variable>`, `$KAMEA_DATA`, `$XDG_STATE_HOME/kamea` or `~/.local/state/kamea`."""
    folder = os.environ.get(variable) or os.environ.get("KAMEA_DATA")
    state = os.environ.get("XDG_STATE_HOME", "")
    if not folder:
        # The XDG base directory specification: a path that is not absolute is to be ignored.
        state = state if os.path.isabs(state) else os.path.expanduser("~/.local/state")
        folder = os.path.join(state, "kamea")
    if not os.path.isabs(folder):
        raise Failure(500, f"The folder for what this program is told has to be an absolute path, and {folder} is not. "
                           f"Set {variable} or KAMEA_DATA.")
    refuse_served(folder, variable)
    return folder


def refuse_served(folder: str, variable: str):
    """Refuses a folder that the server might serve."""
    scripts = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    for root in filter(os.path.isabs, (scripts, os.environ.get("DOCUMENT_ROOT", ""))):
        root = os.path.realpath(root)
        if os.path.commonpath((root, os.path.realpath(folder))) == root:
            raise Failure(500, f"The folder {folder} is inside of {root}, which is served to everybody. "
                               f"Set {variable} or KAMEA_DATA to a folder that is not.")


def private(path: str, flags: int) -> int:
    """Opens a file that is for its owner alone."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def busy(_signal, _frame):
    """Ends the wait for the lock."""
    raise Failure(503, "Too many are writing here at this moment. Send it once more.", ("Retry-After", "5"))


def form_of(mark: str) -> str:
    """The mark of a form as `page.form_mark` makes it; anything else is no mark."""
    return mark if re.fullmatch("[0-9a-f]{16}", mark) else ""
