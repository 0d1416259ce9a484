#!/bin/sh
body=$(od -An -v -tx1 | tr -d ' \n')
printf '%s %s %s\n' "$REQUEST_METHOD" "$REQUEST_URI" "$body" >> {folder}/record
printf 'Content-Type: text/plain\r\n\r\nseen'
