"""Runs the Autobahn suite against our WebSocket server and our client: `make conformance`.

    run.py [--cases 1.*,2.*] [--only server|client] [--programs FOLDER]

The suite is from PyPI and needs a Python 2.7, which is no longer in distributions: it is looked for as `python2.7`, in the path and in
pyenv; PYTHON27 names another one. The suite itself is installed into target/autobahn, and nothing elsewhere. All cases must be OK or
informational.
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
    "error: the Autobahn suite needs a Python 2.7, and no python2.7 in the path or in pyenv runs."
    " `pyenv install 2.7.18` builds one; PYTHON27=/path/to/python2.7 names one that is elsewhere."
)
SECTIONS = {
    "1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragments", "6": "UTF-8", "7": "closing",
    "9": "limits and speed", "10": "automatic fragments", "12": "compression", "13": "compression, negotiated",
}


def is_python(program):
    """Whether it is a Python 2.7 that runs: pyenv has a `python2.7` in the path that may not."""
    ask = [program, "-c", "import sys; sys.exit(sys.version_info[:2] != (2, 7))"]
    return subprocess.run(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def python():
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = [os.environ.get("PYTHON27"), "python2.7", *sorted(glob.glob(os.path.join(pyenv, "versions/2.7*/bin/python2.7")))]
    for program in map(shutil.which, filter(None, found)):
        if program and is_python(program):
            return program
    sys.exit(NO_PYTHON)


def suite():
    """The program of the suite, which is installed once."""
    program = os.path.join(FOLDER, "python", "bin", "wstest")
    if not os.path.exists(program):
        home, tools, python27 = os.path.join(FOLDER, "python"), os.path.join(FOLDER, "tools"), python()
        print(f"The Autobahn suite is installed into {home}, for {python27}.", flush=True)
        install(python27, "-m", "pip", "install", "-q", "--target", tools, "virtualenv<20.22")
        install(python27, "-m", "virtualenv", "-q", home, env={**os.environ, "PYTHONPATH": tools})
        install(os.path.join(home, "bin", "pip"), "install", "-q", "autobahntestsuite")
    return program


def install(*command, env=None):
    environment = {**(env or os.environ), "PIP_NO_PYTHON_VERSION_WARNING": "1"}
    if subprocess.run(command, env=environment).returncode != 0:
        sys.exit(f"error: the Autobahn suite is not installed: `{' '.join(command)}` has failed")


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
        specification = {"outdir": outdir, "servers": servers, "cases": cases, "exclude-cases": []}
        run("fuzzingclient", specification).wait()
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
    log = os.path.join(FOLDER, f"{mode}.log")
    print(f"Running the cases; {log} says which one runs.", flush=True)
    with open(log, "w") as file:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen([suite(), "-m", mode, "-s", path], env=environment, stdout=file, stderr=subprocess.STDOUT)


def results(outdir):
    index = os.path.join(outdir, "index.json")
    if not os.path.exists(index):
        sys.exit(f"error: the suite has not written {index}: its log in {FOLDER} says why")
    with open(index) as file:
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
    for program in ("websocket_echo", "autobahn_client"):
        if not os.path.exists(os.path.join(options.programs, program)):
            sys.exit(f"error: there is no program {program} in {options.programs}: `make conformance` builds it")
    suite()
    cases, bad = options.cases.split(","), []
    for name, test in (("server", test_server), ("client", test_client)):
        if options.only in (None, name):
            bad += report(name, test(options.programs, cases))
    if bad:
        sys.exit("\nNot as they should be:\n" + "\n".join(bad))
    print("\nAll cases are OK or informational.")


main()
