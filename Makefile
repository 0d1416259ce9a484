# The commands of the project. `make run` and `make test` do all their own set-up.

# What is needed beside a Rust toolchain, as program:package. The tests speak with curl, put a real
# cache in front of the server, look at its pages in a browser, and let gnuplot draw lab's reports.
NEEDED = cc:gcc
test: NEEDED += patch:patch python3:python3 update-mime-database:shared-mime-info curl:curl openssl:openssl varnishd:varnish chromium:chromium gnuplot:gnuplot-nox php-cgi:php-cgi redis-server:redis-server pebble:pebble
# The garden of servers behind the proxy.
test: NEEDED += nginx:nginx-light apache2:apache2-bin lighttpd:lighttpd node:nodejs

.PHONY: run demo test mutations drains sessions chats forwards websockets conformance multipart schemathesis scanners bench lab deb book docs needed python-venv sqlite-header loom fuzz

run:
	cargo run --release -- -v -d www

# The programs of the assignment together: proxy, backends, login, tracker, and three peers of the
# chat. It prints their addresses; Ctrl-C ends them all.
demo: needed sqlite-header
	cargo build --release --bin start_backend --bin start_sampleapp --bin login_for_real \
		--bin start_proxy --bin start_tracker --bin start_peer
	@recipes/chat/demo.sh

# Each part says what it does; the summary comes at the end.
test: needed python-venv sqlite-header
	@tests/all.sh

# Whether the simulation finds mistakes that are made on purpose.
mutations:
	tests/mutations/run.sh

# Whether nothing is lost without a word, with 10,000 random graphs that are stopped at a random moment.
drains:
	KAMEA_DRAINS=10000 cargo test -p kamea-components --release --test simulation drains

# Whether no update, no login and no logout of a session is lost, in 10,000 orders of its requests; and
# the same of an application with sessions and a component that it asks.
sessions:
	KAMEA_SESSIONS=10000 cargo test -p kamea-session -p kamea-app --release --lib -- \
		requests_of_one_session a_logout_wins sessions_and_a_component

# Whether the proxy answers each request once, and leaves nothing behind, with 10,000 random sets of
# clients and backends.
forwards:
	KAMEA_FORWARDS=10000 cargo test -p kamea-proxy --release --lib -- simulated

# Whether WebSockets bring each message back once and in order, and close by the book, with 10,000
# random sets of clients that fragment, are slow, or vanish.
websockets:
	KAMEA_WEBSOCKETS=10000 cargo test -p kamea-components --release --test simulation websocket

# Whether peers of the chat end with the same history, in 5,000 simulations with partitions, delay, lost
# connections and restarts.
chats: sqlite-header
	KAMEA_CHATS=5000 cargo test -p kamea-chat --release --lib -- same_history

# All 517 cases of the Autobahn suite, for our WebSocket server and for our client. The suite needs a
# Python 2.7. CASES='1.*,2.*' runs some of them.
CASES ?= *
conformance: NEEDED += python3:python3
conformance: needed
	cargo build --release --example websocket_echo --example autobahn_client
	python3 tests/autobahn/run.py --cases '$(CASES)'

# The bodies of forms in the source distribution of python-multipart, in pieces of every size.
multipart: python-venv
	python3 tests/multipart/fetch.py target/multipart
	KAMEA_MULTIPART=$(CURDIR)/target/multipart/cases.json \
		cargo test -p kamea-app --test app_clients -- --ignored

# Requests that schemathesis makes from the description of an application. EXAMPLES=1000 makes more.
schemathesis: python-venv
	tests/schemathesis.sh

# What testssl, sslscan and sslyze say of https: docs/src/tls.md explains what they remark.
scanners: NEEDED += testssl:testssl.sh sslscan:sslscan openssl:openssl
scanners: python-venv
	cargo build --release --bin spidey
	python3 tests/scanners.py

bench: NEEDED += python3:python3 curl:curl openssl:openssl wrk:wrk nginx:nginx-light setpriv:util-linux apache2:apache2-bin lighttpd:lighttpd fcgiwrap:fcgiwrap haproxy:haproxy redis-server:redis-server mawk:mawk rg:ripgrep
bench: needed python-venv sqlite-header
	@# Only what is measured: each program is optimised as a whole, which takes minutes.
	cargo build --profile dist --workspace \
		--bin bench --bin floor --bin hyper-peer --bin app-server --bin axum-peer \
		--bin actix-peer --bin websocket-peer --bin spidey --bin kamea --bin thor \
		--bin start_proxy --bin start_tracker --bin start_peer
	target/dist/bench

# The experiments, with those peers that are installed. Interrupted, it goes on when it is made again.
LAB ?= lab-results
lab:
	cargo build --profile dist --workspace --bin lab --bin thor --bin spidey
	@# Samples that have failed are in the report.
	target/dist/lab run $(LAB) || [ $$? = 1 ]
	target/dist/lab report $(LAB)

# A Debian package of each program, in target/deb.
deb: NEEDED += dpkg-deb:dpkg strip:binutils
deb: needed
	tools/package/deb.sh

needed:
	@missing=""; \
	for pair in $(NEEDED); do \
		command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	echo "These programs are missing:$$missing. Installing them with apt, and nothing else."; \
	if [ "$$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null; then sudo=sudo; else \
		echo "error: neither root nor sudo: install$$missing yourself" >&2; exit 1; \
	fi; \
	$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends $$missing

# Flask, gunicorn and Granian are installed from PyPI, into virtual environments below target/. What makes these is a package of its own on some systems.
python-venv: needed
	@python3 -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory needed NEEDED=no-such-program:python3-venv

# The store of sessions in SQLite uses the system's library: its header file is a package of its own.
sqlite-header: needed
	@echo '#include <sqlite3.h>' | cc -E -x c - >/dev/null 2>&1 || $(MAKE) --no-print-directory needed NEEDED=no-such-program:libsqlite3-dev

# Copies the programs of the recipes into the pages that show them.
book:
	python3 docs/programs.py

docs:
	cargo doc --workspace --no-deps
	@command -v mdbook >/dev/null && mdbook build docs || echo "mdbook is not installed; the book is readable in docs/src"

# Every order in which threads may meet, wherever the kernel's own code crosses threads.
loom:
	RUSTFLAGS="--cfg kamea_loom" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo test -p kamea --lib --release --target-dir target/loom loom_

fuzz:
	RUSTC_BOOTSTRAP=1 cargo fuzz run decode -- -max_total_time=120
	for target in response range preconditions accept accept_encoding cache_control cgi_reply wsgi_frame \
		notation websocket fastcgi proxy_config proxy_protocol chat tls_hello; do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run $$target -- -max_total_time=30 || exit 1; \
	done
