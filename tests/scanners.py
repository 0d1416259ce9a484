#!/usr/bin/env python3
"""Lets testssl, sslscan and sslyze look at `spidey --tls-self-signed`: `make scanners`.

Everything that a scanner finds fault with must be in REMARKS, with the reason why it stays; and each
remark must be found, so that the list does not outlive its cause.
"""

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPIDEY = Path(os.environ.get("SPIDEY", ROOT / "target/release/spidey"))
SSLYZE = ROOT / "target/sslyze/bin/sslyze"

# What testssl remarks, by its identifier, and why it stays.
REMARKS = {
    "cipher_order": "all ciphers are strong: clients without hardware for AES choose ChaCha20, as "
    "Mozilla recommends",
    "cert_chain_of_trust": "it signs itself",
    "cert_revocation": "it signs itself: there is no authority that revokes it",
    "BREACH": "pages are compressed; --compress off turns that off",
}

# The severities of testssl that are no fault.
FINE = {"OK", "INFO", "DEBUG", "LOW"}


def start(folder):
    """Starts the server. Returns its process, its port, and the file of its certificate."""
    site = folder / "site"
    site.mkdir()
    (site / "index.html").write_text("<!DOCTYPE html><title>Hello</title>" + "hello " * 400)
    command = [SPIDEY, "-b", "127.0.0.1", "-p", "0", "--tls-self-signed", "--hsts", "31536000"]
    # The scanners open hundreds of connections.
    command += ["--connections-per-client", "1000", "--access-log", folder / "log", site]
    environment = os.environ | {"XDG_DATA_HOME": str(folder)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    return process, int(line.rsplit(":", 1)[1]), folder / "spidey/certificate.pem"


def testssl(port, folder):
    """The faults that testssl finds."""
    report = folder / "testssl.json"
    command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", report]
    subprocess.run([*command, f"localhost:{port}"], stdout=subprocess.DEVNULL, check=False)
    findings = json.loads(report.read_text())
    faults = {it["id"]: it for it in findings if it["severity"] not in FINE}
    for finding in faults.values():
        print(f"testssl: {finding['severity']} {finding['id']}: {finding['finding']}")
    if len(findings) < 80:
        yield f"testssl: only {len(findings)} checks were made"
    for name, finding in faults.items():
        # Some identifiers end with the number of the certificate.
        if not any(name.startswith(known) for known in REMARKS):
            yield f"testssl: {name}: {finding['finding']}"
    for known in REMARKS:
        if not any(name.startswith(known) for name in faults):
            yield f"testssl does not remark {known} any more: remove it from the list"


def sslscan(port):
    """The faults that sslscan finds."""
    command = ["sslscan", "--xml=-", f"localhost:{port}"]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    test = ElementTree.fromstring(output).find("ssltest")
    on = {f"{it.get('type')}{it.get('version')}" for it in test.iter("protocol") if it.get("enabled") == "1"}
    if on != {"tls1.2", "tls1.3"}:
        yield f"sslscan: the protocols are {on}"
    ciphers = [it.get("cipher").upper() for it in test.iter("cipher")]
    weak = [name for name in ciphers if "GCM" not in name and "CHACHA20" not in name]
    if len(ciphers) < 6:
        yield f"sslscan: only the ciphers {ciphers}"
    if weak:
        yield f"sslscan: weak ciphers {weak}"
    compression, renegotiation = test.find("compression"), test.find("renegotiation")
    if compression is not None and compression.get("supported") != "0":
        yield "sslscan: TLS compression is on"
    if renegotiation is not None and renegotiation.get("supported") != "0":
        yield "sslscan: clients may renegotiate"
    for beat in test.iter("heartbleed"):
        if beat.get("vulnerable") != "0":
            yield f"sslscan: Heartbleed with {beat.get('sslversion')}"
    print(f"sslscan: {', '.join(sorted(on))}")


def sslyze(port, certificate):
    """The faults that sslyze finds."""
    command = [SSLYZE, "--mozilla_config=intermediate", f"--certinfo_ca_file={certificate}"]
    done = subprocess.run([*command, f"localhost:{port}"], stdout=subprocess.PIPE, text=True, check=False)
    verdict = [line.strip() for line in done.stdout.splitlines() if "ompliant" in line]
    print(f"sslyze: {' '.join(verdict)}")
    if done.returncode != 0 or not any("OK - Compliant" in line for line in verdict):
        yield f"sslyze: status {done.returncode}\n{done.stdout[-2000:]}"


def main():
    if not SSLYZE.exists():
        subprocess.run([sys.executable, "-m", "venv", ROOT / "target/sslyze"], check=True)
        pip = ROOT / "target/sslyze/bin/pip"
        subprocess.run([pip, "install", "-q", "sslyze"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        process, port, certificate = start(Path(folder))
        try:
            faults = list(sslyze(port, certificate))
            faults += sslscan(port)
            faults += testssl(port, Path(folder))
        finally:
            process.terminate()
            process.wait()
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
