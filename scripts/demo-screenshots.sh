#!/bin/sh
# Plays the demo and takes pictures of its chat page, each on a desktop (1280x900) and on a phone (390x844):
#   running   a failed host among 24, and a command under way
#   long      a long output, shown by its ends, the whole attached in the thread
#   folded    150 hosts: 147 say the same, two differ, one is dead
#   lines     the same with outputs of several lines, where the difference is one line
#   approval-waits, approval-ends, approval-frozen, approval-void   requests for an approval: one that waits, and how others ended or were held
#   rollout-ends, mailbox            the roll-out of kernels that the tour ends with, and its mails
#   rollout-asked, rollout-running   another one, before and in the middle
#   list, help, status, tail, show
#
#   scripts/demo-screenshots.sh DIRECTORY [PICTURE...]     (the program must be built: cargo build --release, or set HALCYON)
set -eu
cd "$(dirname "$0")/.."
into=${1:?usage: scripts/demo-screenshots.sh DIRECTORY [PICTURE...]}
shift
wanted=" $* "
program=${HALCYON:-target/release/halcyon}
mkdir -p "$into"

said=$(mktemp)
demo=
trap 'kill $demo 2>/dev/null; rm -f "$said"' EXIT

# Starts a demo with these options and waits until its tour is over.
start() {
    "$program" demo "$@" >"$said" &
    demo=$!
    tries=0
    until grep -q 'The tour is over' "$said"; do
        kill -0 $demo 2>/dev/null || { cat "$said" >&2; echo "$0: the demo ended before its tour" >&2; exit 1; }
        tries=$((tries + 1))
        [ $tries -lt 3000 ] || { echo "$0: the tour did not end" >&2; exit 1; }
        sleep 0.1
    done
    page=$(grep -o 'http://[^ ]*' "$said" | head -n 1)
    server=${page%%/\?*}
}

# Writes a line in the channel as somebody, and waits until the answer contains a text where one is named. Prints the answer's id, as
# `cancel` and `show` take it.
write() {
    python3 - "$server" "$@" <<'PYTHON'
import json, re, sys, time, urllib.request
server, user, line, *expected = sys.argv[1:]
def call(path, body=None, token=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    data = json.dumps(body).encode() if body is not None else None
    answer = urllib.request.urlopen(urllib.request.Request(server + "/api/v4" + path, data, headers))
    return answer.headers, json.load(answer)
headers, _ = call("/users/login", {"login_id": user, "password": "password"})
token = headers["Token"]
channel = next(c["id"] for c in call("/users/me/channels", token=token)[1] if c["name"] == "cluster")
asked = call("/posts", {"channel_id": channel, "message": line}, token)[1]
end = time.monotonic() + 120
while expected:
    listed = call(f"/channels/{channel}/posts?after={asked['id']}&per_page=200", token=token)[1]
    answers = [post for post in listed["posts"].values() if post["user_id"] != asked["user_id"] and expected[0] in post["message"]]
    if answers:
        code = re.match(r":lock:.* `([A-Z0-9]{4})`", answers[0]["message"])
        print(code and code[1] or re.findall(r"`(?:cancel |show )?([0-9a-f]{6})`", answers[0]["message"])[-1:] and re.findall(r"`(?:cancel |show )?([0-9a-f]{6})`", answers[0]["message"])[-1] or "")
        break
    if time.monotonic() > end:
        raise SystemExit(f"{line}: no answer with {expected[0]!r}")
    time.sleep(0.1)
PYTHON
}

# Takes the pictures of one name, if they are wanted; of another page than the channel where one is given.
shot() {
    case "$wanted" in
    "  " | *" $1 "*) scripts/screenshot.sh "${2:-$page&user=operator&channel=cluster}" "$into/$1" ;;
    esac
}

start
shot rollout-ends
shot mailbox "$(grep -o 'http://[^ ]*/beside/mailbox[^ ]*' "$said")"
# The whole output of the long command hangs in a thread under its post.
SCREENSHOT_SCRIPT='const posts = [...document.querySelectorAll("article, .post")];
const long = posts.find((post) => post.textContent.includes("lines are not shown"));
if (long) long.scrollIntoView({ block: "end" });' shot long
rollout=$(write operator '!upgrade kernel on wn[013-018]' 'needs an approval')
shot rollout-asked
write lead "!approve $rollout" 'is approved' >/dev/null
sleep 8
shot rollout-running
write operator '@halcyon update packages on wn[010-014]' 'stops it' >/dev/null
shot running
waits=$(write operator '!reboot wn003' 'needs an approval')
shot approval-waits
write lead "!approve $waits" 'is approved' >/dev/null
denied=$(write operator '!reboot wn004' 'needs an approval')
write lead "!deny $denied jobs are still running on it" 'is denied' >/dev/null
taken=$(write operator '!reboot wn005' 'needs an approval')
write operator "!withdraw $taken" 'is withdrawn' >/dev/null
shot approval-ends
kill $demo
wait $demo 2>/dev/null || true

# A pack of its own, whose policy is short of time and whose action changes while somebody decides.
pack=$(mktemp -d)
cp -R pack.yaml config.schema.yaml actions aliases policies "$pack"
sed -i 's/^  expires: .*/  expires: 20/' "$pack/policies/reboot_needs_a_lead.yaml"
program=$(realpath "$program")
here=$PWD
cd "$pack"
start
cd "$here"
write operator '!reboot wn003' 'needs an approval' >/dev/null
held=$(write operator '!reboot wn004' 'needs an approval')
write lead '!freeze a storm is on the way' 'I am frozen' >/dev/null
write lead "!approve $held" 'is approved' >/dev/null
shot approval-frozen
write lead '!unfreeze' 'may start again' >/dev/null
void=$(write operator '!reboot wn005' 'needs an approval')
sed -i 's/^    default: reboot/    default: reboot --force/' "$pack/actions/reboot.yaml"
sleep 3
write lead "!approve $void" 'is approved' >/dev/null
sleep 22
shot approval-void
kill $demo
wait $demo 2>/dev/null || true
rm -rf "$pack"

start --nodes 150 --dead wn007
write lead '!update packages on wn[042,099]' 'done on all 2' >/dev/null
reboots=$(write operator '!reboot wn[042,099]' 'needs an approval')
write lead "!approve $reboots" 'is approved' >/dev/null
sleep 5
write operator '!status' 'is running' >/dev/null
shot status
kernel=$(write operator '!kernel on wn[001-150]' 'failed on 1 of 150')
shot folded
write lead '!run echo PATCHED=yes >> /etc/os-release on wn042' 'done on' >/dev/null
write lead '!run cat /etc/os-release on wn[001-150]' 'failed on 1 of 150' >/dev/null
shot lines
write operator '!list' 'tells more' >/dev/null
shot list
write operator "!show $kernel failed" 'only' >/dev/null
shot show
write operator '!help' 'about me' >/dev/null
shot help
update=$(write operator '!update packages on wn[010-014]' 'stops it')
write operator "!tail $update" 'keep this up to date' >/dev/null
sleep 2
shot tail
