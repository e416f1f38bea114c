#!/bin/sh
# Plays the demo and takes pictures of its chat page, each on a desktop (1280x900) and on a phone (390x844):
#   running   a failed host among 24, and a command under way
#   long      a long output, shown by its ends, the whole attached in the thread
#   folded    150 hosts: 147 say the same, two differ, one is dead
#   lines     the same with outputs of several lines, where the difference is one line
#   approval-waits, approval-ends, approval-frozen, approval-void   requests for an approval: one that waits, and how others ended or were held
#   rollout-ends, mailbox            the roll-out of kernels of the tour, and its mails
#   alert-healed                     the alert that the tour ends with: a rule asked to heal it, and it is over
#   alert, alert-taken, alert-over   another one: new, with what can be done about it; taken on from chat; over, since somebody pressed a button
#   rollout-asked, rollout-running   another one, before and in the middle
#   rollout-watched                  its thread: what the monitoring tells of its nodes meanwhile
#   workflow-3, -30, -300, -items   workflows of so many tasks under way; with -ended at their ends, with -graph their graphs
#   storm-rising, storm-held, storm-over   150 nodes lose a service and get it back: one post
#   list, help, status, tail, show
#
#   scripts/demo-screenshots.sh DIRECTORY [PICTURE...]     (the program must be built: cargo build --release, or set HALCYON)
set -eu
cd "$(dirname "$0")/.."
into=${1:?usage: scripts/demo-screenshots.sh DIRECTORY [PICTURE...]}
shift
wanted=" $* "
program=$(realpath "${HALCYON:-target/release/halcyon}")
here=$PWD
mkdir -p "$into"

said=$(mktemp)
demo=
trap 'kill $demo 2>/dev/null; rm -f "$said"' EXIT

# Starts a demo with these options and waits until its tour is over.
start() {
    # What an earlier one said is not taken for what this one says.
    : >"$said"
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

# Presses the newest button on which this stands.
press() {
    python3 - "$server" "$@" <<'PYTHON'
import json, sys, urllib.request
server, user, label = sys.argv[1:]
def call(path, body=None, token=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    data = json.dumps(body).encode() if body is not None else None
    answer = urllib.request.urlopen(urllib.request.Request(server + "/api/v4" + path, data, headers))
    return answer.headers, json.load(answer)
headers, _ = call("/users/login", {"login_id": user, "password": "password"})
token = headers["Token"]
channel = next(c["id"] for c in call("/users/me/channels", token=token)[1] if c["name"] == "cluster")
posts = call(f"/channels/{channel}/posts?per_page=200", token=token)[1]["posts"].values()
for post in sorted(posts, key=lambda post: -post["create_at"]):
    for attachment in (post.get("props") or {}).get("attachments") or []:
        for action in attachment.get("actions") or []:
            if action["name"] == label:
                call(f"/posts/{post['id']}/actions/{action['id']}", {}, token)
                raise SystemExit
raise SystemExit(f"nobody offers {label!r}")
PYTHON
}

# Waits until the post of a line has ended, and prints its id.
ended() {
    python3 - "$server" "$1" <<'PYTHON'
import json, re, sys, time, urllib.request
server, line = sys.argv[1:]
def call(path, body=None, token=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    data = json.dumps(body).encode() if body is not None else None
    answer = urllib.request.urlopen(urllib.request.Request(server + "/api/v4" + path, data, headers))
    return answer.headers, json.load(answer)
headers, _ = call("/users/login", {"login_id": "lead", "password": "password"})
token = headers["Token"]
channel = next(c["id"] for c in call("/users/me/channels", token=token)[1] if c["name"] == "cluster")
end = time.monotonic() + 120
while time.monotonic() < end:
    posts = call(f"/channels/{channel}/posts?per_page=60", token=token)[1]["posts"].values()
    for post in posts:
        first = post["message"].split("\n")[0]
        if "`" + line + "`" in first and re.match(":(x|white_check_mark):", first) and not post["root_id"]:
            print(first.rsplit("`", 2)[1])
            raise SystemExit
    time.sleep(0.2)
raise SystemExit(f"{line} does not end")
PYTHON
}

# Takes the pictures of one name, if they are wanted; of another page than the channel where one is given.
shot() {
    case "$wanted" in
    "  " | *" $1 "*) scripts/screenshot.sh "${2:-$page&user=operator&channel=cluster}" "$into/$1" ;;
    esac
}

# The newest post, the one of a problem, or the newest that has a thread, with its beginning or its end in sight. Pictures in files come a moment later.
newest='new Promise((done) => setTimeout(() => { [...document.querySelectorAll("li.post[data-post]")].at(-1).scrollIntoView({ block: "end" }); done(); }, 1500))'
problem='new Promise((done) => setTimeout(() => { [...document.querySelectorAll("li.post[data-post]")].filter((post) => post.textContent.includes("Process slurmd") && post.textContent.includes("since")).at(-1).scrollIntoView({ block: "center" }); done(); }, 1500))'
own='new Promise((done) => setTimeout(() => { const own = [...document.querySelectorAll("li.post[data-post]")].filter((post) => post.textContent.includes("reply")).at(-1); own.scrollIntoView({ block: "start" }); done(); }, 1500))'
thread='new Promise((done) => setTimeout(() => { [...document.querySelectorAll("li.post[data-post]")].filter((post) => post.textContent.includes("Over after")).at(-1).scrollIntoView({ block: "end" }); done(); }, 1500))'

start
SCREENSHOT_SCRIPT='const ends = [...document.querySelectorAll("li.post[data-post]")].filter((post) => post.textContent.includes("not all upgraded")).at(-1);
if (ends) ends.scrollIntoView({ block: "end" });' shot rollout-ends
SCREENSHOT_SCRIPT=$newest shot alert-healed
write lead '!run systemctl stop slurmd on wn003' 'done on' >/dev/null
sleep 4
SCREENSHOT_SCRIPT=$problem shot alert
write operator '!ack wn003 "Process slurmd" I look at it' 'taken on' >/dev/null
sleep 2
SCREENSHOT_SCRIPT=$problem shot alert-taken
press operator 'Restart slurmd'
sleep 6
SCREENSHOT_SCRIPT=$problem shot alert-over
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
SCREENSHOT_SCRIPT=$thread shot rollout-watched
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

# Workflows of all sizes, in a pack of their own: under way, ended, and the pictures of their graphs.
case "$wanted" in
"  " | *" workflow-"*)
    pack=$(mktemp -d)
    cp -R pack.yaml config.schema.yaml actions aliases policies "$pack"
    python3 scripts/demo-workflows.py "$pack"
    cd "$pack"
    start --nodes 150
    cd "$here"
    # Takes the picture of a workflow a while after its beginning, that of its end, and that of its graph.
    workflow() {
        write lead "!$2" 'stops it' >/dev/null
        sleep "$3"
        SCREENSHOT_SCRIPT=$newest shot "workflow-$1"
        id=$(ended "$2")
        sleep 1
        SCREENSHOT_SCRIPT=$own shot "workflow-$1-ended"
        write lead "!graph $id" 'as they stand' >/dev/null
        sleep 1
        SCREENSHOT_SCRIPT=$newest shot "workflow-$1-graph"
    }
    workflow 3 'mend wn003' 5
    workflow 30 'upgrade the rack' 6
    workflow 300 'probe everything' 8
    workflow items 'look everywhere' 6
    kill $demo
    wait $demo 2>/dev/null || true
    rm -rf "$pack"
    ;;
esac

# A storm, seen to by nobody: its beginning, its height with rules that wait, and its end when nothing has moved for a while.
case "$wanted" in
"  " | *" storm-"*)
    storm='new Promise((done) => setTimeout(() => { [...document.querySelectorAll("li.post[data-post]")].filter((post) => /Storm: |After the storm|The storm is over/.test(post.textContent)).at(-1).scrollIntoView({ block: "start" }); done(); }, 1500))'
    start --nodes 150
    write lead '!run systemctl stop slurmd on wn[001-020]' 'done on' >/dev/null
    sleep 4
    SCREENSHOT_SCRIPT=$storm shot storm-rising
    write lead '!run systemctl stop slurmd on wn[021-150]' 'done on' >/dev/null
    sleep 12
    write lead '!run systemctl start slurmd on wn[001-009]' 'done on' >/dev/null
    sleep 6
    SCREENSHOT_SCRIPT=$storm shot storm-held
    write lead '!run systemctl start slurmd on wn[010-149]' 'done on' >/dev/null
    sleep "${STORM_QUIET:-45}"
    SCREENSHOT_SCRIPT=$storm shot storm-over
    kill $demo
    wait $demo 2>/dev/null || true
    ;;
esac

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
