#!/bin/sh
# Feeds a target of fuzz/ with inputs that libFuzzer makes up, or keeps what it found.
#
#   scripts/fuzz.sh TARGET [RUNS [SECONDS]]     10,000,000 inputs or 1,800 seconds, whichever is over first; stops at a finding
#   scripts/fuzz.sh keep TARGET                 takes what is new into fuzz/corpus/TARGET, as few and as short inputs as reach the same code
#
# Needs cargo-fuzz (`cargo install cargo-fuzz`) and no more than a stable compiler. fuzz/README.md says what the targets are.
set -eu
cd "$(dirname "$0")/.."
usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

action=run
if [ "${1:-}" = keep ]; then
    action=keep
    shift
fi
target=${1:-}
[ -n "$target" ] && [ -f "fuzz/fuzz_targets/$target.rs" ] || usage
corpus=fuzz/corpus/$target
fresh=fuzz/fresh/$target
mkdir -p "$corpus" "$fresh"

case $target in
    content | yaml) longest=2048 ;;
    *) longest=1024 ;;
esac
words=
[ -f "fuzz/words/$target.dict" ] && words=-dict=fuzz/words/$target.dict

if [ "$action" = keep ]; then
    least=$(mktemp -d)
    trap 'rm -rf "$least"' EXIT
    cargo fuzz run --sanitizer none "$target" "$least" -- -merge=1 -use_counters=0 "$least" "$corpus" "$fresh"
    rm -rf "$corpus" "$fresh"
    mkdir -p "$corpus"
    cp "$least"/* "$corpus"/
    echo "$corpus: $(find "$corpus" -type f | wc -l) files, $(cat "$corpus"/* | wc -c) bytes"
    exit
fi
# The target measures processor time itself and has a limit of 1 second; -timeout is for what never comes back.
exec nice -n 19 cargo fuzz run --sanitizer none "$target" "$fresh" "$corpus" -- $words \
    -runs="${2:-10000000}" -max_total_time="${3:-1800}" -max_len=$longest -timeout=30 -rss_limit_mb=2048 -print_final_stats=1
