#!/usr/bin/env bash
# Lets schemathesis make requests from the description of an application, the recipe `app_openapi`:
# `make schemathesis`. No answer may be an error of the server, and none may be undocumented.
#
# One check is left out: it wants 2.0 for an integer, which Rust's integers refuse, and no value for a
# parameter that is a number.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/schemathesis
[ -x $venv/bin/schemathesis ] || { python3 -m venv $venv && $venv/bin/pip install -q schemathesis; }
cargo build --release --example app_openapi
coproc app { exec target/release/examples/app_openapi 127.0.0.1:0; }
trap 'kill "$app_PID"' EXIT
read -r line <&"${app[0]}"
url=${line#Listening on }
# It keeps its cache where it runs.
cd target
schemathesis/bin/schemathesis run "${url}openapi.json" --checks all \
    --exclude-checks positive_data_acceptance --max-examples "${EXAMPLES:-100}"
