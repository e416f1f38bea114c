#!/bin/sh
# The command lines of processes by their numbers, as JSON.
search=$1 criteria=$2 found=
case $search in state | name | pid) ;; *) echo "search is one of state, name, pid" >&2; exit 2 ;; esac
printf '{'
for directory in /proc/[0-9]*; do
  pid=${directory#/proc/} state=
  [ "$pid" = $$ ] && continue
  # One that has ended meanwhile is passed over.
  { read -r stat <"$directory/stat"; } 2>/dev/null || continue
  stat=${stat##*) } state=${stat%% *}
  line=$(tr '\000' ' ' <"$directory/cmdline" 2>/dev/null)
  case $search in
  state) [ "$state" = "$criteria" ] || continue ;;
  pid) [ "$pid" = "$criteria" ] || continue ;;
  name) printf '%s' "$line" | grep -Eq -e "$criteria" || continue ;;
  esac
  printf '%s"%s": "%s"' "${found:+, }" "$pid" "$(printf '%s' "${line% }" | tr -d '\001-\037' | sed 's/[\\"]/\\&/g')"
  found="$found${found:+ }$pid"
done
echo '}'
[ "$3" = pidlist ] && printf '%s' "$found" >&2
exit 0
