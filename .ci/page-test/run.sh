#!/bin/sh
# Opens the page of the application `live_room` in a real browser: installs what that takes,
# builds the application, runs the test.
set -eu
cd "$(dirname "$0")"

if ! command -v chromium >/dev/null; then
    sudo=$(command -v sudo || true)
    $sudo apt-get update -q
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium fonts-noto-cjk fonts-noto-color-emoji
fi
npm ci --no-audit --no-fund --loglevel=error

cargo build --quiet --release --manifest-path ../../Cargo.toml --package roomcast-live-room
target=$(cargo metadata --format-version 1 --no-deps --manifest-path ../../Cargo.toml | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec node test.mjs "$target/release/live_room"
