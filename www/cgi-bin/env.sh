#!/bin/sh
# What a server tells a CGI program (RFC 3875): the meta-variables and the standard input.
#
# A page, or plain text for `?format=text` and for who prefers it by Accept. Nothing but the variables of the RFC
# and the HTTP_* ones is shown: the rest of the environment is the server's own.

set -u
export LC_ALL=C
unset IFS
limit=65536

# RFC 3875 section 4.1, in its order.
variables="AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING REMOTE_ADDR
REMOTE_HOST REMOTE_IDENT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE"

# The names of the header fields that came. Not HTTP_PROXY: it may be the server's own, with a password in it.
header_variables() {
    awk 'BEGIN { for (name in ENVIRON) if (name ~ /^HTTP_[A-Z0-9_]+$/ && name != "HTTP_PROXY") print name }' | sort
}

# Whether plain text is liked better than a page (RFC 9110 section 12.5.1: the most specific range counts).
prefers_text() {
    awk '
        function quality(type, family,    best, found, i, parts, ranges, n, q, rank) {
            best = -1; found = 0
            n = split(tolower(ENVIRON["HTTP_ACCEPT"]), ranges, ",")
            for (i = 1; i <= n; i++) {
                gsub(/[ \t]/, "", ranges[i])
                split(ranges[i], parts, ";")
                rank = parts[1] == type ? 2 : parts[1] == family "/*" ? 1 : parts[1] == "*/*" ? 0 : -1
                q = match(ranges[i], /;q=[01](\.[0-9]*)?/) ? substr(ranges[i], RSTART + 3, RLENGTH - 3) + 0 : 1
                if (rank > best || (rank == best && q > found)) { best = rank; found = q }
            }
            return best < 0 ? 0 : found
        }
        BEGIN { exit !(quality("text/plain", "text") > quality("text/html", "text")) }'
}

# Text as markup.
escape() {
    sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'
}

# The value of a variable, in one line; what a browser says in confidence is not repeated.
value_of() {
    case $1 in
    HTTP_AUTHORIZATION | HTTP_COOKIE) echo "(came, and is not shown)" ;;
    *) eval "printf '%s' \"\$$1\"" | tr '\000-\037\177' ' ' ;;
    esac
}

is_set() {
    eval "[ -n \"\${$1+set}\" ]"
}

# answer STATUS TYPE [FIELD]: the header of the answer.
answer() {
    printf '%s\n' "Status: $1" "Content-Type: $2; charset=utf-8" ${3:+"$3"} "Cache-Control: no-store" "Vary: Accept" \
        "X-Content-Type-Options: nosniff" \
        "Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'" ""
    [ "${REQUEST_METHOD:-GET}" != HEAD ] || exit 0
}

# refuse STATUS SENTENCE [FIELD]: an answer that says what is wrong.
refuse() {
    answer "$1" text/plain "${3:-}"
    printf '%s: %s\n' "$1" "$2"
    exit 0
}

# Reads the standard input, no more than was announced, into `content`: its beginning, control characters as `?`.
# All is read before anything is written: there are servers that send all before they read anything, and others that
# cut the answer of a program that leaves something unread.
read_content() {
    length=${CONTENT_LENGTH:-0}
    length=${length#"${length%%[!0]*}"} # or the shell would take it for an octal number
    length=${length:-0}
    case $length in
    *[!0-9]* | ?????????????*) refuse "400 Bad Request" "CONTENT_LENGTH has to be a number of at most 12 digits." ;;
    esac
    content=$(head -c "$((length < limit ? length : limit))" | tr '\000-\010\013-\037\177' '?'; echo .)
    content=${content%.}
    [ "$length" -le "$limit" ] || head -c "$((length - limit))" >/dev/null
}

show_text() {
    for name in $variables $(header_variables); do
        if is_set "$name"; then
            printf '%s=%s\n' "$name" "$(value_of "$name")"
        fi
    done
    printf '\n%s' "$content"
}

# rows NAME...: the rows of a table.
rows() {
    for name; do
        if ! is_set "$name"; then
            value='<span class="quiet">not set</span>'
        else
            value=$(value_of "$name" | escape)
            [ -n "$value" ] || value='<span class="quiet">empty</span>'
        fi
        printf '<tr><th scope="row">%s</th><td>%s</td></tr>\n' "$name" "$value"
    done
}

show_content() {
    if [ "$length" = 0 ]; then
        echo '<p>Nothing came by the standard input. Send something:</p>'
    else
        echo "<p>$length bytes came by the standard input."
        [ "$length" -le "$limit" ] || echo "These are the first $limit."
        printf '</p>\n<pre class="typed">%s</pre>\n<p>Send something else:</p>\n' "$(printf '%s\n' "$content" | escape)"
    fi
}

show_page() {
    cat <<PAGE
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Environment · Kamea</title>
<link rel="icon" href="${root}favicon.svg">
<link rel="stylesheet" href="${root}style.css">
<link rel="stylesheet" href="${root}cgi.css">
</head>
<body>
<nav><a href="${root}">Kamea</a><a href="${root}how.html">How it works</a><a href="${root}songs/">Songs</a><a href="${root}programs.html">Programs</a></nav>
<main>
<h1>Environment</h1>
<p class="lead">What the server has told this program about your request.</p>
<p><a href="$script?format=text">The same as plain text</a></p>
<table class="variables">
<caption>Meta-variables of RFC 3875</caption>
$(rows $variables)
</table>
<table class="variables">
<caption>Header fields of the request</caption>
$(rows $(header_variables))
</table>
<h2>Standard input</h2>
$(show_content)
<form class="card" method="post" action="$script">
<label for="text">A text</label>
<textarea id="text" name="text" rows="3"></textarea>
<button>Send it with POST</button>
</form>
</main>
<footer>A program has written this page: a CGI script, started for your request alone.
<a href="${root}programs.html">More of them</a></footer>
</body>
</html>
PAGE
}

# Where the rest of the site is. A path with anything unusual in it is not repeated in links.
root=/
script=/cgi-bin/env.sh
case ${SCRIPT_NAME:-} in
*[!A-Za-z0-9._~/-]* | //*) ;;
/*/cgi-bin/* | /cgi-bin/*) root=${SCRIPT_NAME%/cgi-bin/*}/ script=$SCRIPT_NAME ;;
esac

read_content
case ${REQUEST_METHOD:-GET} in
GET | HEAD | POST) ;;
*) refuse "405 Method Not Allowed" "This program takes GET, HEAD and POST." "Allow: GET, HEAD, POST" ;;
esac
case "&${QUERY_STRING:-}&" in
*"&format=text&"*) format=text/plain ;;
*"&format=html&"*) format=text/html ;;
*) format=text/html; if prefers_text; then format=text/plain; fi ;;
esac

answer "200 OK" "$format"
case $format in
text/plain) show_text ;;
*) show_page ;;
esac
