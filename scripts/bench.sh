#!/usr/bin/env bash
# Measures Halcyon beside its peers and says which budgets are kept (docs/performance.md).
#
#   scripts/bench.sh [--quick] [alias|rules|store|chat|fleet|start|workflow]...
#
# Peers that are missing are installed first: pdsh, clustershell, openssh-server, nodejs and npm from Debian, Hubot from npm, mmpy_bot
# and ansible-rulebook from PyPI into a directory outside of the repository ($HALCYON_BENCH_PEERS, by default ~/.cache/halcyon-bench). The last
# needs Java 17 or newer; where there is none, rules are measured alone.
# Orquesta is installed from a clone of its repository, if $HALCYON_BENCH_ORQUESTA names one: the package index has only a version that no current
# Python runs.
set -eu -o pipefail
cd "$(dirname "$0")/.."
peers="${HALCYON_BENCH_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/halcyon-bench}"
mkdir -p "$peers"

missing=()
need() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing+=("$2")
}
need pdsh pdsh
need clush clustershell
need sshd openssh-server
need node nodejs
need npm npm
need python3 python3-venv
if [ "${#missing[@]}" -gt 0 ]; then
    root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    "${root[@]}" apt-get update -q
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
if [ ! -d "$peers/node_modules/hubot" ]; then
    (cd "$peers" && npm install --silent --no-fund --no-audit --prefix . hubot@14.1.0 ws@8)
fi
if [ ! -x "$peers/python/bin/python" ]; then
    python3 -m venv "$peers/python"
    "$peers/python/bin/pip" install -q mmpy_bot==2.2.1
fi
if [ ! -x "$peers/rulebook/bin/ansible-rulebook" ] && command -v java >/dev/null; then
    python3 -m venv "$peers/rulebook"
    "$peers/rulebook/bin/pip" install -q ansible-rulebook==1.3.2 drools_jpy==0.4.1 ansible-core
fi
if [ ! -x "$peers/orquesta/bin/python" ] && [ -n "${HALCYON_BENCH_ORQUESTA:-}" ]; then
    python3 -m venv "$peers/orquesta"
    "$peers/orquesta/bin/pip" install -q "$HALCYON_BENCH_ORQUESTA"
fi

cargo bench --locked --bench budgets --no-run
printf '\n%s, %s cores, load %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //' || true
exec cargo bench -q --locked --bench budgets -- --peers "$peers" "$@"
