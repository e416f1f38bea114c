#!/usr/bin/env bash
# Builds halcyon as one file that needs no library of the machine it runs on, without the demo's sandbox: for monitoring servers, where
# `halcyon notify checkmk` is called.
#
#   scripts/static.sh           # target/static/TARGET/release/halcyon
#   scripts/static.sh --dev     # the same without optimisation, which is built sooner
#
# Prints where it is. Names of machines are then found in /etc/hosts and by DNS, and by nothing else that nsswitch.conf may name.
set -eu -o pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    "") profile=release folder=release ;;
    --dev) profile=dev folder=debug ;;
    *) echo "static.sh: there is no \`$1\`; use --dev or nothing" >&2 && exit 2 ;;
esac
target="$(rustc -vV | sed -n 's/^host: //p')"
# Into a folder of its own: every library is built otherwise than for the usual program.
place="${CARGO_TARGET_DIR:-target}/static"
CARGO_TARGET_DIR="$place" RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" \
    cargo build --locked --quiet --no-default-features --bin halcyon --profile "$profile" --target "$target" >&2
echo "$place/$target/$folder/halcyon"
