#!/bin/sh
# Does something with a service, by whatever this machine starts its services with.
act=$1 service=$2
case $service in "" | -* | */*) echo "not the name of a service: $service" >&2; exit 2 ;; esac
case $act in "" | -*) echo "nothing that can be done with a service: $act" >&2; exit 2 ;; esac
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
  exec systemctl --no-pager "$act" "$service"
elif [ -x "/etc/init.d/$service" ]; then
  exec "/etc/init.d/$service" "$act"
elif command -v rc-service >/dev/null; then
  exec rc-service "$service" "$act"
else
  echo "there is no service $service here" >&2
  exit 2
fi
