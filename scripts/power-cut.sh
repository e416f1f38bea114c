#!/usr/bin/env bash
# Cuts the power under a store, so to speak: an ext4 file system on a loop device is shut down without its journal while a store on it is
# under load, mounted again, opened and compared with what had been acknowledged. Root and Linux only.
#
#   scripts/power-cut.sh [ROUNDS]    20 by default
set -eu -o pipefail
cd "$(dirname "$0")/.."

rounds="${1:-20}"
[ "$(id -u)" -eq 0 ] || { echo "power-cut.sh: this has to mount a file system, so it needs root" >&2; exit 2; }
for program in mkfs.ext4 mount umount perl; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || { echo "power-cut.sh: there is no $program" >&2; exit 2; }
done
HALCYON_PEERS=1 HALCYON_POWER_CUTS="$rounds" PATH="$PATH:/usr/sbin:/sbin" \
    cargo test --locked --test it -- --exact --nocapture store::power::peers_a_power_cut_loses_nothing_that_was_acknowledged
