#!/bin/sh
# Takes two pictures of a page with Chromium: OUT_PREFIX-desktop.png (1280x900) and OUT_PREFIX-phone.png (390x844).
# Waits until the page says that it has settled.
#
#   scripts/screenshot.sh 'http://127.0.0.1:PORT/?token=…&user=operator&channel=cluster' OUT_PREFIX
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 URL OUT_PREFIX" >&2
    exit 2
fi
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "$0: chromium is missing; install it with: apt-get install chromium python3 fonts-dejavu fonts-noto-color-emoji" >&2
        exit 1
    fi
    apt-get update -q && apt-get install -y -q chromium >&2
fi
# Without these fonts emoji and box-drawing characters are empty squares.
for font in "DejaVu Sans Mono:fonts-dejavu" "Noto Color Emoji:fonts-noto-color-emoji"; do
    if ! fc-list 2>/dev/null | grep -q "${font%%:*}"; then
        if [ "$(id -u)" -eq 0 ]; then
            apt-get install -y -q "${font##*:}" >&2
        else
            echo "$0: the font ${font%%:*} is missing; install ${font##*:}" >&2
            exit 1
        fi
    fi
done
exec python3 "$(dirname "$0")/chromium.py" "$1" "$2-desktop.png:1280x900" "$2-phone.png:390x844"
