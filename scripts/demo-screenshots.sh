#!/bin/sh
# Plays the demo and takes pictures of its chat page, each on a desktop (1280x900) and on a phone (390x844):
#   running   a failed host among 24, and a command under way
#   long      a long output, shown by its ends, the whole attached in the thread
#
#   scripts/demo-screenshots.sh DIRECTORY     (the program must be built: cargo build --release, or set HALCYON)
set -eu
cd "$(dirname "$0")/.."
into=${1:?usage: scripts/demo-screenshots.sh DIRECTORY}
program=${HALCYON:-target/release/halcyon}
mkdir -p "$into"

said=$(mktemp)
"$program" demo >"$said" &
demo=$!
trap 'kill $demo 2>/dev/null; rm -f "$said"' EXIT
tries=0
until grep -q 'The tour is over' "$said"; do
    kill -0 $demo 2>/dev/null || { cat "$said" >&2; echo "$0: the demo ended before its tour" >&2; exit 1; }
    tries=$((tries + 1))
    [ $tries -lt 600 ] || { echo "$0: the tour did not end" >&2; exit 1; }
    sleep 0.1
done
page=$(grep -o 'http://[^ ]*' "$said" | head -n 1)
server=${page%%/\?*}

# Writes a line in the channel as the operator.
write() {
    python3 - "$server" "$1" <<'PYTHON'
import json, sys, urllib.request
server, line = sys.argv[1:]
def call(path, body=None, token=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    data = json.dumps(body).encode() if body is not None else None
    answer = urllib.request.urlopen(urllib.request.Request(server + "/api/v4" + path, data, headers))
    return answer.headers, json.load(answer)
headers, _ = call("/users/login", {"login_id": "operator", "password": "password"})
token = headers["Token"]
channel = next(c["id"] for c in call("/users/me/channels", token=token)[1] if c["name"] == "cluster")
call("/posts", {"channel_id": channel, "message": line}, token)
PYTHON
}

# The whole output of the long command hangs in a thread under its post.
SCREENSHOT_SCRIPT='const posts = [...document.querySelectorAll("article, .post")];
const long = posts.find((post) => post.textContent.includes("lines are not shown"));
if (long) long.scrollIntoView({ block: "end" });' \
    scripts/screenshot.sh "$page&user=operator&channel=cluster" "$into/long"
write '@halcyon update packages on wn[010-014]'
sleep 1
scripts/screenshot.sh "$page&user=operator&channel=cluster" "$into/running"
