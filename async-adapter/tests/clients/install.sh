#!/bin/sh
# Installs the clients that the tests of the examples use; what is missing, they skip loudly.
set -eu
cd "$(dirname "$0")"

npm ci --no-audit --no-fund --loglevel=error
missing=
command -v nc >/dev/null || missing="$missing netcat-openbsd"
command -v openssl >/dev/null || missing="$missing openssl"
[ -x venv/bin/python3 ] || python3 -m venv venv 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    sudo=$(command -v sudo || true)
    $sudo apt-get update -q
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi
[ -x venv/bin/python3 ] || python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'websockets>=13,<18'
