#!/usr/bin/env bash
# Whether the simulation finds mistakes that are made on purpose. The mistakes are in a copy of the
# source, in target/mutations: mistakes.patch puts them there.
set -euo pipefail
cd "$(dirname "$0")/../.."
copy=target/mutations/source
fresh=$(mktemp -d -p "$(mkdir -p target/mutations && echo target/mutations)" fresh.XXXXXX)
trap 'rm -rf "$fresh"' EXIT

tar -c --exclude=./target --exclude=./.git . | tar -x -C "$fresh"
cp tests/mutations/mutation.rs "$fresh/src/mutation.rs"
cp tests/mutations/mutations.rs "$fresh/tests/simulation/mutations.rs"
printf 'mod mutation;\npub use mutation::mutated;\n' >> "$fresh/src/lib.rs"
printf 'mod mutations;\n' >> "$fresh/tests/simulation/main.rs"
if ! patch --directory="$fresh" --strip=1 --quiet --no-backup-if-mismatch < tests/mutations/mistakes.patch; then
    echo "tests/mutations/mistakes.patch does not fit the source any more: mend these places in it" >&2
    exit 1
fi

# With a feature of their own the packages are built beside those of the project, not instead of them.
add_feature() {
    if grep -q '^\[features\]' "$1"; then
        sed -i "/^\[features\]/a mutations = $2" "$1"
    else
        printf '\n[features]\nmutations = %s\n' "$2" >> "$1"
    fi
}
add_feature "$fresh/Cargo.toml" '[]'
add_feature "$fresh/components/Cargo.toml" '["kamea/mutations"]'

# Only what has changed is replaced, so that nothing is built twice.
mkdir -p "$copy"
files() { (cd "$1" && find . -type f -not -path './Cargo.lock' | sort); }
comm -13 <(files "$fresh") <(files "$copy") | (cd "$copy" && xargs -r -d '\n' rm -f)
files "$fresh" | while IFS= read -r file; do
    cmp -s "$fresh/$file" "$copy/$file" || install -D -m 644 "$fresh/$file" "$copy/$file"
done
cmp -s Cargo.lock "$copy/Cargo.lock" || cp Cargo.lock "$copy/Cargo.lock"

cargo test --manifest-path "$copy/Cargo.toml" --target-dir target -p kamea-components \
    --features mutations --test simulation mutations
