#!/usr/bin/env bash
# The whole assignment on one machine: a proxy in front of two backends, the sample application, a
# login with sessions and the tracker of the chat; and three peers. Ctrl-C ends all of it.
#
# PROGRAMS names the folder of the programs, FIRST_PORT the first of the nine ports.
set -uo pipefail
cd "$(dirname "$0")/../.."
programs=${PROGRAMS:-target/release}
first=${FIRST_PORT:-8080}
proxy=$first backend1=$((first + 1)) backend2=$((first + 2)) sample=$((first + 3)) login=$((first + 4))
tracker=$((first + 5)) page=$((first + 6))

folder=$(mktemp -d) || exit 1
children=()
finish() {
    trap '' INT TERM HUP
    # In the reverse order: a peer says goodbye to the tracker through the proxy.
    for ((i = ${#children[@]} - 1; i >= 0; i--)); do kill "${children[i]}" 2>/dev/null; done
    wait
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A program that outlives this script would keep its port: the system ends it with the script.
with_parent=()
command -v setpriv >/dev/null && with_parent=(setpriv --pdeathsig TERM)

# start NAME COMMAND...: starts a program, and waits until it says where it listens.
start() {
    local name=$1
    shift
    # Ctrl-C reaches the programs by this script, in its order.
    (trap '' INT; exec "${with_parent[@]}" "$@") >"$folder/$name.out" 2>"$folder/$name.log" </dev/null &
    children+=($!)
    for ((i = 0; i < 300; i++)); do
        grep -qsi 'listen' "$folder/$name.out" && return
        kill -0 $! 2>/dev/null || break
        sleep 0.1
    done
    echo "error: $name does not start: $(tail -n 1 "$folder/$name.log")" >&2
    exit 1
}

cat >"$folder/proxy.conf" <<END
host default {
    proxy_pass http://127.0.0.1:$backend1;
    proxy_pass http://127.0.0.1:$backend2;
    dist_policy round-robin

    location /sample {
        proxy_pass http://127.0.0.1:$sample;
        strip_prefix on;
    }
    location /tracker {
        proxy_pass http://127.0.0.1:$tracker;
        strip_prefix on;
    }
}
host login.localhost {
    proxy_set_header Host \$http_host;
    proxy_pass http://127.0.0.1:$login;
}
END

at=(--server-ip 127.0.0.1 --server-port)
start backend1 "$programs/start_backend" "${at[@]}" "$backend1"
start backend2 "$programs/start_backend" "${at[@]}" "$backend2"
start sample "$programs/start_sampleapp" "${at[@]}" "$sample"
start login "$programs/login_for_real" "${at[@]}" "$login"
start tracker "$programs/start_tracker" "${at[@]}" "$tracker" --data "$folder/tracker.sqlite" \
    --trusted-proxy 127.0.0.1
start proxy "$programs/start_proxy" "${at[@]}" "$proxy" --config "$folder/proxy.conf"
for name in ada bob eve; do
    start "$name" "$programs/start_peer" --name "$name" --ip 127.0.0.1 --page-port "$page" \
        --tracker "http://127.0.0.1:$proxy/tracker" --data "$folder/$name"
    page=$((page + 1))
done

url=http://127.0.0.1:$proxy
cat <<END

The chat: open two of these pages, create a channel in one, join it in the other
$(sed -n 's/^\([a-z]*\) listens on .*, its page is /  \1  /p' "$folder"/{ada,bob,eve}.out)

Behind the proxy at $url/
  the backends ($backend1 and $backend2 in turn): 401 without a login
    curl -i $url/
    curl -i -d 'username=admin&password=password' $url/login
    curl -i -b auth=true $url/
  the sample application
    curl $url/sample/hello
  a login with sessions
    http://login.localhost:$proxy/  (admin, password)
  the tracker, and who is there
    curl $url/tracker/
    curl $url/tracker/get-list/

Files of this run: $folder
Ctrl-C ends all programs.
END
# The first program that ends by itself ends the demonstration.
wait -n "${children[@]}"
echo "error: a program has ended by itself:" >&2
tail -n 1 "$folder"/*.log >&2
exit 1
