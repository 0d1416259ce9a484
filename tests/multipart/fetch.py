"""Writes the bodies in the source distribution of python-multipart, with what it reads of each, as
JSON: fetch.py FOLDER. The folder gets a virtual environment, the distribution, and cases.json."""

import json
import pathlib
import subprocess
import sys
import tarfile
import venv

folder = pathlib.Path(sys.argv[1]).absolute()
python = folder / "venv/bin/python"
if not list(folder.glob("*.tar.gz")):
    venv.create(folder / "venv", with_pip=True)
    pip = [python, "-m", "pip", "-q"]
    subprocess.run([*pip, "install", "pyyaml"], check=True)
    subprocess.run(
        [*pip, "download", "--no-deps", "--no-binary", "python-multipart", "-d", folder, "python-multipart"],
        check=True,
    )

READ = """
import json, pathlib, sys, yaml
cases = []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("tests/test_data/http/*.http")):
    told = yaml.safe_load(path.with_suffix(".yaml").read_text())
    expected, parts = told["expected"], None
    if not isinstance(expected, dict):
        parts = [
            {"name": part["name"], "file_name": part.get("file_name"), "content": list(part["data"])}
            for part in expected
        ]
    cases.append({"name": path.stem, "boundary": told["boundary"], "body": list(path.read_bytes()),
                  "parts": parts})
print(json.dumps(cases))
"""

[distribution] = folder.glob("python_multipart-*.tar.gz")
with tarfile.open(distribution) as archive:
    archive.extractall(folder, filter="data")
cases = subprocess.run([python, "-c", READ, folder], check=True, capture_output=True, text=True).stdout
(folder / "cases.json").write_text(cases)
print(f"{len(json.loads(cases))} bodies of {distribution.name}")
