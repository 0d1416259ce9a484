#!/usr/bin/env bash
# Checks that the man page and the completions of each program name every option of its help, and that
# the man page is one for man(1).
set -uo pipefail
cd "$(dirname "$0")/.."
cargo build -q -p kamea-recipes -p kamea-tools --bins --features packaging || exit 1

failed=0
for program in spidey kamea thor lab; do
    run=target/debug/$program
    options=$("$run" --help | grep -oE '(^|[ ,])--[a-z][a-z-]+' | grep -oE '[a-z][a-z-]+' | sort -u)
    [ -n "$options" ] || { echo "error: $program --help shows no option"; failed=1; }
    for kind in man bash zsh fish; do
        if ! text=$("$run" --generate "$kind"); then
            echo "error: $program --generate $kind fails"
            failed=1
        fi
        # A man page escapes hyphens, and fish leaves them out.
        text=${text//\\-/-}
        for option in $options; do
            case $kind in
            fish) wanted="-l $option" ;;
            *) wanted="--$option" ;;
            esac
            if ! grep -qF -e "$wanted" <<<"$text"; then
                echo "error: $kind of $program lacks $wanted"
                failed=1
            fi
        done
    done
    "$run" --generate man | grep -q '^\.TH' || { echo "error: no man page of $program"; failed=1; }
    if command -v man >/dev/null; then
        warnings=$("$run" --generate man | man --warnings -l - 2>&1 >/dev/null)
        [ -z "$warnings" ] || { echo "error: man page of $program: $warnings"; failed=1; }
    fi
    "$run" --generate bash | bash -n || { echo "error: bash cannot read the completions"; failed=1; }
done
[ "$failed" = 1 ] || echo "The man pages and completions of spidey, kamea, thor and lab are complete."
exit "$failed"
