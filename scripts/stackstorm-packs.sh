#!/usr/bin/env bash
# Loads StackStorm's own packs as they are, and runs those of their shell actions that do no harm.
#
#   scripts/stackstorm-packs.sh [DIRECTORY]
#
# DIRECTORY holds, or gets, two checkouts: st2 (github.com/StackStorm/st2) and st2tests (github.com/StackStorm/st2tests). What is missing is
# cloned; where there is no network, put them there before. Without DIRECTORY it is a temporary one that is removed at the end.
# HALCYON names the program (target/debug/halcyon).
#
# For each pack it prints what loaded, what is not built yet and why, and for each action that was run how it ended. Remote actions run on this
# machine by an OpenSSH server of the script's own on loopback, where there is one. The exit code is 0 when all that should load has loaded,
# and all that should succeed has succeeded.
set -eu -o pipefail
cd "$(dirname "$0")/.."

halcyon="${HALCYON:-$PWD/target/debug/halcyon}"
[ -x "$halcyon" ] || { echo "stackstorm-packs.sh: there is no $halcyon; cargo build makes it" >&2; exit 2; }

state=$(mktemp -d "${HOME:-/tmp}/.halcyon-packs.XXXXXX")
children=()
finish() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    rm -rf "$state"
}
trap finish EXIT
packs="${1:-$state/packs}"
mkdir -p "$packs"
for name in st2 st2tests; do
    [ -d "$packs/$name" ] || git clone -q --depth 1 "https://github.com/StackStorm/$name" "$packs/$name"
done
packs=$(cd "$packs" && pwd)

wrong=0
problem() {
    printf 'WRONG  %s\n' "$*"
    wrong=1
}

# ---- what loads

for pack in "$packs"/st2/contrib/{core,linux,chatops,examples,hello_st2,debug,default,packs} "$packs"/st2tests/packs/{chatops_tests,tests,asserts,fixtures}; do
    [ -f "$pack/pack.yaml" ] || continue
    printf '\n== %s\n' "${pack#"$packs"/}"
    set +e
    said=$("$halcyon" check "$pack" 2>&1)
    code=$?
    set -e
    # Warnings and reasons one by one, and of what is not built each reason with its number.
    grep -v ': not supported: ' <<<"$said" | sed "s|$pack/||"
    sed -n 's/.*: not supported: \([a-z_]*: \)\{0,1\}//p' <<<"$said" | sed 's/, see .*//' | sort | uniq -c | sort -rn
    # A workflow of the examples is wrong on purpose, to be inspected.
    mistakes=$(grep -v -e ': warning: ' -e ': not supported: ' -e 'orquesta-fail-inspection' <<<"$said" | grep -c '^[^ ]*:[0-9]*: ' || true)
    [ $code -eq 0 ] || [ "$code/$mistakes" = 1/0 ] || problem "${pack##*/} does not load: exit code $code, $mistakes mistakes"
done

# ---- a machine to run on

mkdir "$state/bin" "$state/work"
chmod 755 "$state" "$state/work" "$state/bin"
# Scripts of StackStorm ask for `python`, which Debian calls python3.
command -v python >/dev/null || { found=$(command -v python3) && ln -s "$found" "$state/bin/python"; } || true
export PATH="$state/bin:$PATH"
sshd=$(PATH="$PATH:/usr/sbin" command -v sshd || true)
if [ -n "$sshd" ]; then
    port=$((20000 + RANDOM % 20000))
    ssh-keygen -q -t ed25519 -N '' -f "$state/host"
    ssh-keygen -q -t ed25519 -N '' -f "$state/key"
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    cat >"$state/sshd_config" <<END
ListenAddress 127.0.0.1:$port
HostKey $state/host
AuthorizedKeysFile $state/key.pub
StrictModes no
PidFile none
UsePAM no
SetEnv PATH=$PATH
END
    "$sshd" -D -E "$state/sshd.log" -f "$state/sshd_config" &
    children+=($!)
    for _ in $(seq 50); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break || sleep 0.1; done
    cat >"$state/ssh_config" <<END
Host *
  HostName 127.0.0.1
  Port $port
  User $(id -un)
  IdentityFile $state/key
  IdentitiesOnly yes
END
else
    : >"$state/ssh_config"
fi
mkdir "$state/web"
echo '{"well": true}' >"$state/web/answer.json"
web=0
if command -v python3 >/dev/null; then
    web=$((20000 + RANDOM % 20000))
    (cd "$state/web" && exec python3 -m http.server --bind 127.0.0.1 "$web" >/dev/null 2>&1) &
    children+=($!)
    for _ in $(seq 50); do (exec 3<>"/dev/tcp/127.0.0.1/$web") 2>/dev/null && break || sleep 0.1; done
fi

# The packs as they are, and beside them what a site says of them: as whom scp runs may be given.
mkdir -p "$state/site/policies"
cat >"$state/site/pack.yaml" <<END
{ref: checked, name: checked, description: What the check says of the packs., version: 1.0.0, author: Halcyon}
END
cat >"$state/site/policies/scp.yaml" <<END
{name: scp, resource_ref: linux.scp, policy_type: action.effect, parameters: {effect: destructive, raw: true}}
END
cat >"$state/config.toml" <<END
[content]
packs = ["$state/site", "$packs/st2/contrib/core", "$packs/st2/contrib/linux", "$packs/st2/contrib/chatops", "$packs/st2/contrib/examples", "$packs/st2/contrib/hello_st2", "$packs/st2tests/packs/fixtures"]
[store]
path = "$state/store"
[ssh]
config_file = "$state/ssh_config"
known_hosts = "accept-new"
known_hosts_file = "$state/known_hosts"
END

# ---- what runs

# run EXPECTED ACTION [KEY=VALUE…]: EXPECTED is the end that it should have, with a reason behind a colon where that is not success.
run() {
    local expected=$1 action=$2 said status
    shift 2
    said=$("$halcyon" --config "$state/config.toml" run "$action" "$@" 2>&1 </dev/null) || true
    status=$(sed -n 's/^status: \([a-z]*\).*/\1/p' <<<"$said" | head -n 1)
    status=${status:-refused}
    printf '%-10s %-52s %s\n' "$status" "$action" "${expected#*:}"
    if [ "$status" != "${expected%%:*}" ]; then
        problem "$action should end as ${expected%%:*}"
        sed 's/^/       /' <<<"$said" | tail -n 25
    fi
}
# left_out ACTION REASON
left_out() {
    printf '%-10s %-52s %s\n' "left out" "$1" "$2"
}
# with TOOL EXPECTED ACTION …: only where the tool is.
with() {
    if PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; then run "${@:2}"; else left_out "$3" "there is no $1 here"; fi
}
work="$state/work"
echo one >"$work/a"

printf '\n== shell actions on this machine\n'
run succeeded: core.local cmd="echo well"
if sudo -n true 2>/dev/null; then run succeeded: core.local_sudo cmd=id; else left_out core.local_sudo "sudo is not here, or asks for a password"; fi
run succeeded: core.echo message='it is "quoted"; $(id)'
run succeeded: core.error message=well
run succeeded: core.noop
run succeeded: core.pause max_pause=0
run succeeded: core.uuid
if [ "$web" != 0 ]; then run succeeded: core.http url="http://127.0.0.1:$web/answer.json"; else left_out core.http "there is no python3 here to ask"; fi
left_out core.sendmail "there is no mail server here; the tests send mails"
left_out core.announcement "there is no chat here; the tests announce"
left_out chatops.post_message "there is no chat here; the tests announce"
run succeeded: examples.local-notify cmd=true
run succeeded: examples.local_command_runner_print_to_stdout_and_stderr count=2 sleep_delay=0
run succeeded: examples.local_script_runner_print_to_stdout_and_stderr count=2 sleep_delay=0
run succeeded: examples.env_reader
run "refused:its file names a script and no command, as in StackStorm" examples.ping
run "refused:its file names a script and no command, as in StackStorm" examples.local-random-exit
left_out examples.ubuntu_pkg_info "asks the network"
left_out examples.weather "asks the network"
run succeeded: hello_st2.greet greeting=Hello
run "failed:its first line names a Python of StackStorm" fixtures.streamwriter-script-local stream=stdout str_arg=word int_arg=5
left_out packs.restart_component "restarts StackStorm"

printf '\n== shell actions by ssh\n'
if [ -z "$sshd" ]; then
    left_out "all of them" "there is no sshd here; on Debian: apt-get install openssh-server"
else
    run succeeded: core.remote hosts=here cmd="echo well"
    if sudo -n true 2>/dev/null; then run succeeded: core.remote_sudo hosts=here cmd=id; else left_out core.remote_sudo "sudo is not here, or asks for a password"; fi
    run succeeded: linux.check_loadavg hosts=here period=all
    run succeeded: linux.check_processes hosts=here search=name criteria=sshd
    run succeeded: linux.cp hosts=here source="$work/a" destination="$work/b"
    run succeeded: linux.mv hosts=here source="$work/b" destination="$work/c"
    run succeeded: linux.file_touch hosts=here file="$work/d"
    run succeeded: linux.rm hosts=here target="$work/c $work/d"
    with lsof succeeded: linux.lsof hosts=here args="-p 1"
    if sudo -n true 2>/dev/null; then with lsof succeeded: linux.lsof_pids hosts=here pids=1; else left_out linux.lsof_pids "sudo is not here, or asks for a password"; fi
    with netstat succeeded: linux.netstat hosts=here args=-rn
    with netstat succeeded: linux.netstat_grep hosts=here pids='["1"]'
    with vmstat succeeded: linux.vmstat hosts=here
    run "failed:nothing is called so" linux.pkill hosts=here process=halcyon-nobody
    run succeeded: linux.scp hosts=here username="$(id -un)" source="$work/a" destination="$work/e" keyfile="$state/key"
    left_out linux.rsync "needs a second machine"
    run "failed:its script needs Python modules of StackStorm on the machine itself" linux.service hosts=here act=status service=ssh
    with traceroute succeeded: linux.traceroute hosts=here host=127.0.0.1
    run succeeded: examples.remote_command_runner_print_to_stdout_and_stderr hosts=here count=2 sleep_delay=0
    run succeeded: examples.remote_script_runner_print_to_stdout_and_stderr hosts=here count=2 sleep_delay=0
    if python -c 'import six' 2>/dev/null; then run succeeded: examples.remote-fib hosts=here end=10; else left_out examples.remote-fib "there is no python with six here"; fi
    run "refused:its file names a script and no command, as in StackStorm" examples.remote-random-exit hosts=here
    run "failed:its first line names a Python of StackStorm" fixtures.streamwriter-script-remote hosts=here stream=stderr str_arg=word
fi

printf '\n'
[ "$wrong" -eq 0 ] && echo "All that should load has loaded, and all that should succeed has succeeded."
exit "$wrong"
