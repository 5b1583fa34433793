#!/bin/sh
# Checks this disclosure with openssl (3.0 or later), sha256sum and the tools of any Unix.
#
#     sh check.sh audit.pub
#
# Give the public key of the log that you received by another way than this folder.
set -eu
LC_ALL=C
export LC_ALL
key=${1:-}
[ -n "$key" ] || { echo "usage: sh check.sh PUBLIC-KEY" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cp "$key" "$work/key.pem"
cd "$(dirname "$0")"

fail() { echo "NOT GENUINE: $1" >&2; exit 1; }
sha256() { openssl dgst -sha256 -binary; }
raw() { openssl base64 -d -A; }

# The key signed the first three lines of the note in $1 (origin, size, root).
signed() {
    head -n 3 "$1" > "$work/head"
    sed -n 5p "$1" | cut -d ' ' -f 3 | raw | tail -c 64 > "$work/signature"
    openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/head" \
        -sigfile "$work/signature" > "$work/said" 2>&1
}

# The entry in file $1 is in the tree of the note in $3, by the proof $2 (RFC 9162, 2.1.3.2):
# SHA-256 of a zero byte and the entry, joined with each hash, left or right as its number says.
included() {
    index=$(sed -n 's/^index //p' "$2")
    size=$(sed -n 2p "$3")
    grep -q "\"seq\":$index," "$1" || return 1
    { printf '\000'; cat "$1"; } | sha256 > "$work/node"
    at=$index
    last=$((size - 1))
    [ "$at" -le "$last" ] || return 1
    for hash in $(sed '1,/^index /d; /^$/,$d' "$2"); do
        [ "$last" -gt 0 ] || return 1
        printf %s "$hash" | raw > "$work/other"
        if [ $((at % 2)) -eq 1 ] || [ "$at" -eq "$last" ]; then
            { printf '\001'; cat "$work/other" "$work/node"; } | sha256 > "$work/next"
            while [ $((at % 2)) -eq 0 ] && [ "$at" -gt 0 ]; do
                at=$((at / 2)) last=$((last / 2))
            done
        else
            { printf '\001'; cat "$work/node" "$work/other"; } | sha256 > "$work/next"
        fi
        mv "$work/next" "$work/node"
        at=$((at / 2)) last=$((last / 2))
    done
    [ "$last" -eq 0 ] && [ "$(openssl base64 -A < "$work/node")" = "$(sed -n 3p "$3")" ]
}

# 1. The files are those that the list names, and no others.
sha256sum -c SHA256SUMS > "$work/sums" 2>&1 || fail "a file is missing or was changed
$(cat "$work/sums")"
find . -type f ! -name SHA256SUMS | sed 's,^\./,,' | sort > "$work/there"
cut -c 67- SHA256SUMS | sort | cmp -s - "$work/there" || fail "a file is not on the list"
echo "files: as listed"

# 2. The head is signed by this key, or by a later one that this one named.
for change in key-changes/*.tlog-proof; do
    [ -e "$change" ] || continue
    sed '1,/^$/d' "$change" > "$work/note"
    sed -n 's/^extra //p' "$change" | raw > "$work/entry"
    signed "$work/note" && included "$work/entry" "$change" "$work/note" \
        && [ "$size" -eq $((index + 1)) ] && grep -q '"ph":"rotation"' "$work/entry" \
        || fail "$change does not hold"
    new=$(sed 's/.*"key":"\([^"]*\)".*/\1/' "$work/entry")
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf %s "$new" | raw; } \
        | openssl pkey -pubin -inform DER -out "$work/key.pem"
    echo "key: changed in entry $index, as the key before it signed"
done
signed head.note || fail "this key did not sign the head"
echo "head: signed by this key, over $(sed -n 2p head.note) entries"

# 3. Each entry is in the log that the head was signed over.
count=0
for entry in entries/*.json; do
    proof=proofs/$(basename "$entry" .json).tlog-proof
    sed '1,/^$/d' "$proof" | cmp -s - head.note || fail "$proof is about another head"
    included "$entry" "$proof" head.note || fail "$entry is not in the log"
    count=$((count + 1))
done
echo "entries: all $count are in the log, unchanged"
