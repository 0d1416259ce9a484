#!/usr/bin/env bash
# Checks that `kamea-components` builds without a feature, and with each of them alone (with all of them
# is what the other tests build); and that a program of `stream` and `chassis` alone builds no crate of
# a server.
set -uo pipefail
cd "$(dirname "$0")/.."
manifest=components/Cargo.toml
features=$(awk '/^\[/ { inside = $0 == "[features]" } inside && /^[a-z]+ = / && $1 != "default" { print $1 }' "$manifest")
[ "$(wc -w <<<"$features")" -gt 15 ] || { echo "error: no features found in $manifest" >&2; exit 1; }

failed=0
check() {
    local name=$1; shift
    local output
    output=$(cargo check --target-dir target/features -p kamea-components --lib "$@" 2>&1)
    if [ $? != 0 ] || grep -q '^warning: ' <<<"$output"; then
        printf 'error: components with %s:\n%s\n' "$name" "$output"
        failed=1
    else
        printf '  ok: %s\n' "$name"
    fi
}
check "no feature" --no-default-features
for feature in $features; do
    check "the feature $feature" --no-default-features --features "$feature"
done

crates=$(cargo tree --prefix none -e normal,build -p kamea-components --no-default-features | awk '{ print $1 }')
for crate in $crates; do
    case $crate in
    http | httparse | image | zstd* | brotli* | flate2 | rustix | askama | minijinja | argon2 | winnow)
        echo "error: stream and chassis alone build $crate"
        failed=1
        ;;
    esac
done
exit "$failed"
