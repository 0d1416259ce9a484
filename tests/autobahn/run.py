"""Runs the Autobahn suite against our WebSocket server and our client: `make conformance`.

    run.py [--cases 1.*,2.*] [--only server|client] [--programs FOLDER]

The suite is from PyPI and needs a Python 2.7, which is no longer in distributions: it is looked for as `python2.7`, in the path and in
pyenv. The suite itself is installed into target/autobahn. All cases must be OK or informational.
"""

import argparse
import collections
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "target", "autobahn")
NO_PYTHON = (
    "error: the Autobahn suite needs a Python 2.7, and there is no python2.7 in the path or in pyenv."
    " `pyenv install 2.7.18` builds one."
)
SECTIONS = {
    "1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragments", "6": "UTF-8", "7": "closing",
    "9": "limits and speed", "10": "automatic fragments", "12": "compression", "13": "compression, negotiated",
}


def python():
    found = [shutil.which("python2.7"), *sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/2.7*/bin/python2.7")))]
    for program in filter(None, found):
        return program
    sys.exit(NO_PYTHON)


def suite():
    """The program of the suite, which is installed once."""
    program = os.path.join(FOLDER, "python", "bin", "wstest")
    if not os.path.exists(program):
        os.makedirs(FOLDER, exist_ok=True)
        home = os.path.join(FOLDER, "python")
        subprocess.run([python(), "-m", "pip", "install", "-q", "--user", "virtualenv"], check=True)
        subprocess.run([python(), "-m", "virtualenv", "-q", home], check=True)
        subprocess.run([os.path.join(home, "bin", "pip"), "install", "-q", "autobahntestsuite"], check=True)
    return program


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"error: nothing listens at port {port}")


def test_server(programs, cases):
    """The suite is the client of our echo."""
    port = free_port()
    server = subprocess.Popen([os.path.join(programs, "websocket_echo"), f"127.0.0.1:{port}"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        outdir = os.path.join(FOLDER, "server")
        servers = [{"agent": "kamea", "url": f"ws://127.0.0.1:{port}/echo"}]
        run("fuzzingclient", {"outdir": outdir, "servers": servers, "cases": cases, "exclude-cases": []}).wait()
    finally:
        server.terminate()
        server.wait()
    return results(outdir)


def test_client(programs, cases):
    """The suite is the server of our client."""
    port = free_port()
    outdir = os.path.join(FOLDER, "client")
    url = f"ws://127.0.0.1:{port}"
    server = run("fuzzingserver", {"url": url, "outdir": outdir, "cases": cases, "exclude-cases": [], "webport": 0})
    try:
        wait_for(port)
        subprocess.run([os.path.join(programs, "autobahn_client"), url], cwd=ROOT, check=True)
    finally:
        server.terminate()
        server.wait()
    return results(outdir)


def run(mode, specification):
    path = os.path.join(FOLDER, f"{mode}.json")
    with open(path, "w") as file:
        json.dump(specification, file)
    shutil.rmtree(specification["outdir"], ignore_errors=True)
    return subprocess.Popen([suite(), "-m", mode, "-s", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def results(outdir):
    with open(os.path.join(outdir, "index.json")) as file:
        return json.load(file)["kamea"]


def report(name, cases):
    """Prints a table by sections; returns the cases that are not as they should be."""
    table, bad = collections.defaultdict(collections.Counter), []
    for case, result in cases.items():
        verdicts = {result["behavior"], result["behaviorClose"]} - {"OK"}
        verdict = next(iter(sorted(verdicts - {"INFORMATIONAL"})), "INFORMATIONAL" if verdicts else "OK")
        table[case.split(".")[0]][verdict] += 1
        if verdict not in ("OK", "INFORMATIONAL"):
            bad.append(f"{case}: {result['behavior']}, closing {result['behaviorClose']}")
    print(f"\n{name}: {len(cases)} cases")
    for section in sorted(table, key=int):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(table[section].items()))
        print(f"  {section:>2}. {SECTIONS.get(section, ''):<24} {counts}")
    return [f"{name} {line}" for line in bad]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="*", help="such as 1.*,2.*,12.1.1")
    parser.add_argument("--only", choices=["server", "client"])
    parser.add_argument("--programs", default=os.path.join(ROOT, "target", "release", "examples"))
    options = parser.parse_args()
    suite()
    cases, bad = options.cases.split(","), []
    for name, test in (("server", test_server), ("client", test_client)):
        if options.only in (None, name):
            bad += report(name, test(options.programs, cases))
    if bad:
        sys.exit("\nNot as they should be:\n" + "\n".join(bad))
    print("\nAll cases are OK or informational.")


main()
