#!/bin/sh
# The load for each processor over a period, or over all of them as JSON.
read -r one five fifteen _ </proc/loadavg || exit 2
processors=$(grep -c '^processor' /proc/cpuinfo) || exit 2
share() { awk -v load="$1" -v processors="$processors" 'BEGIN { printf "%.4g", load / processors }'; }
case $1 in
1 | one) share "$one" ;;
5 | five) share "$five" ;;
15 | fifteen) share "$fifteen" ;;
*) printf '{"1": "%s", "5": "%s", "15": "%s"}' "$(share "$one")" "$(share "$five")" "$(share "$fifteen")" ;;
esac
echo
