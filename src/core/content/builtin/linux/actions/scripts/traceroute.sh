#!/bin/sh
# The way of packets to a host.
command -v traceroute >/dev/null || { echo "there is no traceroute here" >&2; exit 2; }
exec traceroute -q "${3:-3}" -m "${2:-30}" -- "$1"
