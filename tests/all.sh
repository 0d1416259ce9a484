#!/usr/bin/env bash
# All tests of the project, part after part: a part that fails stops no other one, and the summary at
# the end names what failed. The exit status is 1 if anything did.
set -uo pipefail
cd "$(dirname "$0")/.."

# The benchmark has a part of its own: its peers want further features of crates that the programs use,
# and these would be built again for `cargo run`.
names=(
    "format"
    "lints"
    "the first command"
    "examples"
    "tests"
    "hostile clients"
    "examples in the docs"
    "tests of the benchmark"
    "mutations"
    "features one by one"
    "man pages and completions"
)
commands=(
    "cargo fmt --all --check"
    "cargo clippy --workspace --all-targets -- -D warnings"
    "tests/first_command.sh"
    "cargo build --workspace --exclude kamea-benches --bins --examples"
    "cargo test --workspace --exclude kamea-benches --lib --bins --tests --no-fail-fast"
    "cargo test --workspace --exclude kamea-benches --test end_to_end -- --ignored --test-threads=1 hostile"
    "cargo test --workspace --exclude kamea-benches --doc --no-fail-fast"
    "cargo test -p kamea-benches --no-fail-fast"
    "tests/mutations/run.sh"
    "tests/features.sh"
    "tests/packaging.sh"
)
logs=target/tests
mkdir -p "$logs"
rm -f "$logs"/*.log

# How many tests of a log passed and failed, as "N passed, N failed".
count() {
    awk '/^test result: / { passed += $4; failed += $6 }
         END { if (passed + failed) printf "%d passed, %d failed", passed, failed }' "$1"
}

failed=0
summary=""
for i in "${!names[@]}"; do
    name=${names[$i]} command=${commands[$i]} log=$logs/$((i + 1)).log
    printf '\n[%d of %d] %s: %s\n' $((i + 1)) ${#names[@]} "$name" "$command"
    began=$SECONDS
    if $command 2>&1 | tee "$log"; then verdict=ok; else verdict=FAILED failed=1; fi
    line=$(printf '%-22s %-7s %5d s  %s' "$name" "$verdict" $((SECONDS - began)) "$(count "$log")")
    summary+=$line$'\n'
    if [ "$verdict" = FAILED ]; then
        summary+=$(grep -E '^test .* \.\.\. FAILED$|^(error|warning)[:[]|^Diff in ' "$log" |
            sort -u | head -40 | sed 's/^/    /')$'\n'
        summary+="    the whole of it: $log"$'\n'
    fi
done

printf '\nSummary\n%s' "$summary"
exit "$failed"
