#!/usr/bin/env bash
# Runs the README's first command as a newcomer does, and asks the server for a page and a CGI program.
# All other parts build without optimisation: this one finds what only an optimised build shows.
set -uo pipefail
cd "$(dirname "$0")/.."
cargo build --release --bin spidey || exit 1
log=target/tests/first-command.log
mkdir -p target/tests
: >"$log"
cargo run -q --release -- -v -b 127.0.0.1 -p 0 -d www >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT
url=$(timeout 60 tail -n +1 -f --pid "$server" "$log" | grep -m 1 -oE 'http://localhost:[0-9]+/')
[ -n "$url" ] || { echo "error: the server printed no address:"; cat "$log"; exit 1; }

failed=0
# ask PATH TEXT: the page must contain the text.
ask() {
    if ! curl -sf --max-time 10 "$url$1" | grep -q "$2"; then
        echo "error: ${url}$1 does not contain: $2"
        failed=1
    fi
}
ask "" "Kamea"
ask "cgi-bin/env.sh" "SERVER_SOFTWARE"
kill -INT "$server"
wait "$server" || { echo "error: after Ctrl-C it exits with status $?"; failed=1; }
[ "$failed" = 1 ] || echo "cargo run --release -- -v -d www serves its pages."
exit "$failed"
