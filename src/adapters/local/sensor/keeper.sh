# Keeps one sensor. Its arguments are the program; what the program finds on standard input is the first line of its own. Lines that begin with # are
# not sent.
# Standard input stays open for as long as somebody wants the sensor to run. When it ends, whoever held the other end is gone or wants it no more, and
# nothing of the sensor is left. POSIX sh (dash, bash, busybox).
exec 3<&0 </dev/null
IFS= read -r settings <&3 || exit 125

# A session of its own, so that its group can be told from ours. The first line that comes out of it is its process id.
printf "%s\n" "$settings" | setsid sh -c "echo \$\$; exec \"\$@\"" sh "$@" 3<&- &
group=$!
settings=

# While it has not made its group, only the process can be reached.
end() { kill "-$1" "-$group" 2>/dev/null || kill "-$1" "$group"; }
(
  while read -r _; do :; done <&3
  end TERM
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    kill -0 "-$group" || kill -0 "$group" || exit
    sleep 0.2
  done
  end KILL
) >/dev/null 2>&1 &
watch=$!
exec 3<&-

wait "$group"
code=$?
# What it has left behind.
kill -KILL "-$group" 2>/dev/null
kill "$watch" 2>/dev/null
exit "$code"
