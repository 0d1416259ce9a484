#!/usr/bin/env bash
# Checks that `kamea-components` builds without a feature, and with each of them alone (with all of them
# is what the other tests build); and that a program of `stream` and `chassis` alone builds no crate of
# a server.
set -uo pipefail
cd "$(dirname "$0")/.."
manifest=components/Cargo.toml
mapfile -t features < <(awk '/^\[/ { inside = $0 == "[features]" } inside && /^[a-z]+ = / && $1 != "default" { print $1 }' "$manifest")
[ "${#features[@]}" -gt 15 ] || { echo "error: no features found in $manifest" >&2; exit 1; }

# check TARGET NAME OPTION...
check() {
    local target=$1 name=$2 output
    shift 2
    output=$(cargo check --target-dir "$target" -p kamea-components --lib --no-default-features "$@" 2>&1)
    if [ $? != 0 ] || grep -q '^warning: ' <<<"$output"; then
        printf 'error: components with %s:\n%s\n' "$name" "$output"
        return 1
    fi
    printf '  ok: %s\n' "$name"
}

# Every second feature, from the one with this number. A check of one crate keeps one core busy, so
# two of them run at the same time, each in a folder of its own.
check_half() {
    local failed=0 index
    for ((index = $1; index < ${#features[@]}; index += 2)); do
        check "target/features/$1" "the feature ${features[index]}" --features "${features[index]}" || failed=1
    done
    return "$failed"
}

failed=0
check_half 1 & other=$!
check target/features/0 "no feature" || failed=1
check_half 0 || failed=1
wait "$other" || failed=1

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
