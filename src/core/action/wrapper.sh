# The node wrapper, protocol version 1. docs/node-wrapper.md is its contract. Lines that begin with # are not sent.
# POSIX sh (dash, bash, busybox). It holds no value of any command: those come over standard input.
# No single quote may stand in it but around `boot`, and no exclamation mark doubled: it is sent inside single quotes.
verb=$1 id=$2 wrong=2
case $verb in run | look) wrong=125 ;; esac
refuse() { echo "halcyon-1: $1" >&2; exit "$2"; }
case $verb in run | look | kill | status | forget) ;; *) refuse "no such verb: $verb" 2 ;; esac
case $id in "" | [!0-9A-Za-z]* | *[!0-9A-Za-z._-]*) refuse "not an id: $id" $wrong ;; esac
[ ${#id} -le 128 ] || refuse "the id is too long" $wrong

# The account's directory. Root has /run, where nobody else can put a trap. Others have /tmp before /run/user: the latter is
# removed with the last login, and the status of a command has to outlive the connection that started it.
uid=
while read -r key _ value _; do
  [ "$key" = Uid: ] && uid=$value && break
done 2>/dev/null </proc/self/status
[ "$uid" ] || uid=$(id -u)
set -- "/tmp/.halcyon-$uid" "/run/user/$uid/halcyon"
[ "$uid" = 0 ] && set -- /run/halcyon /tmp/.halcyon-0
dir=
for try; do
  [ -d "$try" ] || (umask 077 && mkdir "$try") 2>/dev/null
  [ -d "$try" ] && [ ! -L "$try" ] && [ -O "$try" ] && dir=$try && break
done
[ "$dir" ] || refuse "neither $1 nor $2 is a directory of our own" $wrong
base=$dir/$id
# Since when notes have been kept here: seconds of uptime, and the boot that they are of. Without it, or after a reboot, what was noted
# before may be missing, so it is counted anew. What cleans away by age takes this file before any note that is younger.
noted= boot= booted= up=
{ read -r booted </proc/sys/kernel/random/boot_id; } 2>/dev/null
{ read -r noted boot <"$dir/since"; } 2>/dev/null
[ "$noted" ] && [ "$boot" = "$booted" ] || {
  { read -r up _ </proc/uptime; } 2>/dev/null
  noted=${up%%.*}
  { echo "$noted $booted" >"$dir/since"; } 2>/dev/null || noted=
}
# Of the second directory it is not told: notes may stand in the first, which is none of ours for now.
[ "$booted" ] && [ "$dir" = "$1" ] || noted=

# Whether the command runs. The process id alone would be believed of another process after a reboot or a long time.
running() {
  pid= start= boot=
  { read -r pid start boot <"$base.run"; } 2>/dev/null
  [ "$pid" ] || return 1
  stat=
  { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 1
  set -- ${stat##*) }
  [ "${20}" = "$start" ] && [ "$booted" = "$boot" ] && [ "$1" != Z ]
}
ended() {
  code=
  { read -r code <"$base.exit"; } 2>/dev/null
  [ "$code" ]
}
# Whether group $1 has a process that is more than a zombie.
members() {
  kill -0 -"$1" 2>/dev/null || [ "$2" ] || return 1
  for file in /proc/[0-9]*/stat; do
    { read -r stat <"$file"; } 2>/dev/null || continue
    set -- "$1" ${stat##*) }
    [ "$4" = "$1" ] && [ "$2" != Z ] && [ "$2" != X ] && return 0
  done
  return 1
}
# Whether what the ended command has left in its group is surely its own: the number of a group that is empty may be given to another
# process. So the boot must be the same, the number nobody else's, and one member in the session must bear the id in its environment.
left() {
  [ "$pid" ] && [ ! -e "/proc/$pid" ] || return 1
  [ "$booted" = "$boot" ] && kill -0 -"$pid" 2>/dev/null || return 1
  for file in /proc/[0-9]*/stat; do
    { read -r stat <"$file"; } 2>/dev/null || continue
    set -- "${file%/stat}" ${stat##*) }
    [ "$4" = "$pid" ] && [ "$5" = "$pid" ] && grep -q "HALCYON_RUN=$id" "$1/environ" 2>/dev/null && return 0
  done
  return 1
}
# Notes of a week ago are of no use to anybody. Every hundredth command or so looks for them.
sweep() { find "$dir" ! -type d ! -name since -mtime +7 -exec rm -f {} + >/dev/null 2>&1 & }
# A tenth of a second, where sleep can.
nap() { sleep 0.1 2>/dev/null || sleep 1; }

case $verb in
run | look)
  # A lost connection looks like an end of input, and half a script must not run: the marks tell. What stands before the first
  # is a password that sudo did not ask for.
  # The shell reads line by line itself, which is cheaper than another process until there are many.
  newline="
"
  begin="# halcyon-1 begin $id" end="# halcyon-1 end $id" line= script= whole= lines=0
  while IFS= read -r line || [ "$line" ]; do [ "$line" = "$begin" ] && break; done
  [ "$line" = "$begin" ] || refuse "the script did not arrive whole; nothing was run" 125
  while IFS= read -r line || [ "$line" ]; do
    [ "$line" = "$end" ] && whole=yes && break
    script=$script$line$newline lines=$((lines + 1))
    [ $lines -lt 100 ] && continue
    script=$script$(cat)
    case $script in *"$newline$end") whole=yes script=${script%"$end"} ;; esac
    break
  done
  [ "$whole" ] || refuse "the script did not arrive whole; nothing was run" 125
  script=${script%"$newline"}
  command -v setsid >/dev/null 2>&1 || refuse "there is no setsid here (util-linux or busybox has it); nothing was run" 125
  command -v tee >/dev/null 2>&1 || refuse "there is no tee here (coreutils or busybox has it); nothing was run" 125
  [ -e "$base.kill" ] && refuse "killed before it was run" 125
  # Created by the first one only: an id runs once, ever.
  set -C
  { true >"$base.run"; } 2>/dev/null || refuse "the id $id was run before, or $dir cannot be written; nothing was run" 125
  set +C
  boot='halcyon=$1
read -r stat </proc/$$/stat
read -r booted </proc/sys/kernel/random/boot_id
set -- ${stat##*) }
echo "$$ ${20} $booted" >"$halcyon.run" || exit 125
[ -e "$halcyon.kill" ] && exit 143
set --
export HALCYON_RUN="${halcyon##*/}"
unset halcyon stat booted
READ
exec </dev/null
eval "unset script
$script"'
  shell=sh reading="script=\$(cat)"
  if command -v bash >/dev/null 2>&1; then
    shell=bash reading="IFS= read -r -d \"\" script; script=\${script%?}"
    [ ${#script} -gt 4000 ] && reading="script=\$(</dev/stdin)"
  fi
  # What only looks is worth nothing without its output, and can look again: no relays, no status, and no process that waits for it. Its group is
  # this one, where it is nobody else's.
  if [ "$verb" = look ]; then
    case $id in *00) sweep ;; esac
    { read -r stat </proc/self/stat; } 2>/dev/null
    set -- ${stat##*) }
    alone=setsid
    [ "$3" = $$ ] && alone=
    exec $alone $shell -c "${boot%READ*}$reading${boot#*READ}" halcyon "$base" <<EOT
$script
EOT
  fi
  mkfifo "$base.out" "$base.err" || refuse "cannot make a pipe in $dir; nothing was run" 125
  # Opened for both ways first, as opening one end alone would wait for the other. 5 and 6 are read from, 7 and 8 written to.
  exec 3<>"$base.out" 5<"$base.out" 7>"$base.out" 3<>"$base.err" 6<"$base.err" 8>"$base.err" 3>&-
  # A relay takes the output on when the connection is lost, so that no signal of it reaches the command: tee goes on with the outputs
  # that are left when one fails.
  (trap "" PIPE; exec tee /dev/null <&5 5<&- 6<&- 7>&- 8>&- 2>/dev/null) &
  relays=$!
  (trap "" PIPE; exec tee /dev/null <&6 >&2 5<&- 6<&- 7>&- 8>&- 2>/dev/null) &
  relays="$relays $!"
  trap : HUP INT TERM
  setsid $shell -c "${boot%READ*}$reading${boot#*READ}" halcyon "$base" <<EOT >&7 2>&8 5<&- 6<&- 7>&- 8>&- &
$script
EOT
  pid=$! script=
  exec 7>&- 8>&-
  while :; do
    wait "$pid" 2>/dev/null
    code=$?
    [ $code -gt 128 ] && kill -0 "$pid" 2>/dev/null || break
  done
  echo "$code" >"$base.exit"
  # The end of the output comes before the end of the wrapper. Two seconds are for what was left in the background and holds it open.
  # (While rm is waited for, relays that have ended are too; mostly there is nothing to watch.)
  rm -f "$base.out" "$base.err" 2>/dev/null
  watch=
  for relay in $relays; do
    kill -0 $relay 2>/dev/null && watch=yes
  done
  if [ "$watch" ]; then
    late=
    trap "late=yes" USR1
    { sleep 2; kill -USR1 $$; } >/dev/null 2>&1 &
    watch=$!
    wait $relays 2>/dev/null
    kill $watch 2>/dev/null
    if [ "$late" ]; then
      # They hold it longer. From now on what they write is thrown away, and the channel is let go of.
      cat <&5 >/dev/null 2>&1 &
      cat <&6 >/dev/null 2>&1 &
      kill $relays 2>/dev/null
    fi
  fi
  case $id in *00) sweep ;; esac
  exit "$code"
  ;;
kill)
  # The mark stays: a run that is still on its way will not start. The end of a look, which has no pipes, is never kept and not waited for.
  true >"$base.kill" || refuse "cannot write in $dir" 4
  [ -e "$base.run" ] || exit 3
  tries=0
  until ended || running || { [ "$pid" ] && [ ! -e "$base.out" ]; } || [ $tries -ge 20 ]; do nap; tries=$((tries + 1)); done
  # Of a command that has ended the note names the group, and so it does of one that is a zombie by now.
  running || left || exit 0
  kill -TERM -"$pid" 2>/dev/null
  tries=0
  while members "$pid" && [ $tries -lt 20 ]; do nap; tries=$((tries + 1)); done
  [ $tries -ge 20 ] && kill -KILL -"$pid" 2>/dev/null
  tries=0
  while members "$pid" && [ $tries -lt 30 ]; do nap; tries=$((tries + 1)); done
  members "$pid" all && refuse "processes of group $pid cannot be killed" 4
  tries=0
  until ended || [ ! -e "$base.out" ] || [ $tries -ge 10 ]; do nap; tries=$((tries + 1)); done
  exit 0
  ;;
status)
  running || ended || { [ -e "$base.run" ] && nap; }
  up=
  { read -r up _ </proc/uptime; } 2>/dev/null
  up=${up%%.*}
  # The kernel counts the start of a process in hundredths of a second since the boot.
  began=
  if ended; then echo "exited $code"; elif running; then echo running && began=$start; else echo none; fi
  [ "$up" ] && echo "up $up${began:+ for $((up - began / 100))}${noted:+ noted $((up - noted))}"
  exit 0
  ;;
forget)
  running && ! ended && exit 4
  rm -f "$base.run" "$base.exit" "$base.kill" "$base.out" "$base.err"
  ;;
esac
