#!/usr/bin/env bash
# Everything that must pass before a change is taken.
#
#   ./test.sh          format, lints, all tests but those with real peers, documentation
#   ./test.sh peers    the tests with real peers: OpenSSH's server, sudo, Exim, Slurm, Nagios, Icinga, Alertmanager, Mattermost's client from npm, mmpy_bot from PyPI
#
# What is missing on a Debian machine with nothing but the Rust toolchain is installed first. Only that step uses the network; the tests
# talk to loopback.
set -eu -o pipefail
cd "$(dirname "$0")"

section() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf 'test.sh: %s\n' "$*" >&2
    exit 1
}

# need COMMAND PACKAGE: installs the package unless the command is there.
missing=()
need() {
    # Servers live in sbin, which is not on everybody's path.
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing+=("$2")
}

install_missing() {
    if [ "${#missing[@]}" -eq 0 ]; then
        echo "nothing is missing"
        return
    fi
    command -v apt-get >/dev/null || fail "please install: ${missing[*]}"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "please install as root: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    "${root[@]}" apt-get update -q
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Crates for this machine's target only.
fetch() {
    cargo fetch --locked --target "$(rustc -vV | sed -n 's/^host: //p')"
}

# Clients that others wrote, into a directory outside of the repository.
clients() {
    HALCYON_PEERS_CACHE="${HALCYON_PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/halcyon-peers}"
    export HALCYON_PEERS_CACHE
    mkdir -p "$HALCYON_PEERS_CACHE"
    local wanted="tests/it/peers_clients/package.json tests/it/peers_clients/requirements.txt"
    # A cache that was filled to the end says with what.
    # shellcheck disable=SC2086
    if cat $wanted | cmp -s - "$HALCYON_PEERS_CACHE/filled"; then
        echo "the clients are in $HALCYON_PEERS_CACHE"
        return
    fi
    rm -rf "$HALCYON_PEERS_CACHE/filled" "$HALCYON_PEERS_CACHE/node_modules" "$HALCYON_PEERS_CACHE/python"
    cp tests/it/peers_clients/package.json "$HALCYON_PEERS_CACHE/"
    (cd "$HALCYON_PEERS_CACHE" && npm install --silent --no-fund --no-audit --no-package-lock --omit=dev)
    python3 -m venv "$HALCYON_PEERS_CACHE/python"
    "$HALCYON_PEERS_CACHE/python/bin/pip" install -q --no-deps -r tests/it/peers_clients/requirements.txt
    # shellcheck disable=SC2086
    cat $wanted >"$HALCYON_PEERS_CACHE/filled"
}

basics() {
    need cc build-essential
    need ssh openssh-client
    need openssl openssl
    need curl curl
}

everything() {
    section "what the tests need"
    basics
    install_missing
    fetch

    section "format"
    cargo fmt --check

    section "lints"
    cargo clippy --locked --all-targets -- -D warnings
    echo "without the sandbox:"
    cargo clippy --locked --no-default-features --lib --bins -- -D warnings

    section "tests"
    if [ -d ../shared/conformance ]; then
        HALCYON_CONFORMANCE="$(cd ../shared/conformance && pwd)"
        export HALCYON_CONFORMANCE
        echo "StackStorm's cases: $HALCYON_CONFORMANCE"
    elif [ -n "${HALCYON_CONFORMANCE:-}" ]; then
        echo "StackStorm's cases: $HALCYON_CONFORMANCE"
    else
        echo "StackStorm's cases: not found (set HALCYON_CONFORMANCE to their directory); only the tests' own cases are run"
    fi
    echo "The tests with real peers are a part of their own: ./test.sh peers"
    cargo test --locked -- --skip peers_

    section "documentation"
    # The specifications of folders speak of what is private in them.
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --no-deps --locked --document-private-items
}

peers() {
    section "what the tests with real peers need"
    basics
    need sshd openssh-server
    need sudo sudo
    need mkfs.ext4 e2fsprogs
    need perl perl
    need node nodejs
    need npm npm
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    need exim4 exim4-daemon-light
    need munged munge
    need slurmctld slurmctld
    need slurmd slurmd
    need sinfo slurm-client
    need nagios4 nagios4-core
    [ -x /usr/lib/nagios/plugins/check_tcp ] || missing+=(monitoring-plugins-basic)
    need icinga2 icinga2-bin
    need prometheus-alertmanager prometheus-alertmanager
    install_missing
    fetch
    clients

    section "one file for monitoring servers"
    HALCYON_STATIC="$(realpath "$(scripts/static.sh --dev)")"
    export HALCYON_STATIC
    echo "$HALCYON_STATIC"

    section "tests with real peers"
    local log
    log="$(mktemp)"
    HALCYON_PEERS=1 cargo test --locked --test it peers_ 2>&1 | tee "$log"
    if grep -q '^test result: ok\. 0 passed' "$log"; then
        rm -f "$log"
        fail "no test with a real peer was found"
    fi
    rm -f "$log"
}

case "${1:-}" in
    "") everything ;;
    peers) peers ;;
    *) fail "there is no \`$1\`; use ./test.sh or ./test.sh peers" ;;
esac
section "passed"
