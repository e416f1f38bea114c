#!/usr/bin/env bash
# Runs a real Mattermost server for the tests, with a PostgreSQL of its own, both on loopback only and in one directory that can be deleted.
#
#   scripts/real-mattermost.sh start SERVER STATE    SERVER: the unpacked server (bin/mattermost, i18n, templates, fonts)
#                                                    STATE: an absolute path for its database, files and logs
#   scripts/real-mattermost.sh limit STATE           restarts it with the rate limit on (RATE a second, burst BURST; 5 and 10)
#   scripts/real-mattermost.sh restart STATE         restarts it without
#   scripts/real-mattermost.sh kill STATE            kills it as a crash does; `restart` brings it back
#   scripts/real-mattermost.sh stop STATE            ends both
#
# The last line of `start` is what the tests want to know:
#   export HALCYON_REAL_MATTERMOST=http://admin:PASSWORD@127.0.0.1:PORT
#   cargo test --test it -- real_mattermost conversation:: --test-threads=1
# A server that runs already needs none of this: name it, and an administrator of it, in HALCYON_REAL_MATTERMOST. Teams, users (with new
# passwords), bots and tokens are made by the tests, so it should be one that nobody needs.
set -eu -o pipefail

password="Halcyon-tests-2021"
port="${PORT:-18065}"
database_port="${DATABASE_PORT:-18432}"

fail() {
    printf 'real-mattermost.sh: %s\n' "$*" >&2
    exit 1
}

# PostgreSQL does not run as root.
as_database() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres() {
    local found
    found=$(find /usr/lib/postgresql -name "$1" -path '*/bin/*' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || fail "no PostgreSQL here; on Debian: apt-get install postgresql"
    printf '%s' "$found"
}

start_database() {
    local data="$state/database"
    if [ ! -d "$data" ]; then
        mkdir "$data"
        [ "$(id -u)" -ne 0 ] || chown postgres "$data"
        as_database "$(postgres initdb)" -D "$data" -U mattermost -A trust -E UTF8 >"$state/initdb.log"
    fi
    as_database "$(postgres pg_ctl)" -D "$data" -l "$data/log" -w \
        -o "-p $database_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$data -c fsync=off" start >>"$state/initdb.log"
}

start_server() {
    local server
    server=$(cat "$state/server")
    # Files that it reads are linked, so that nothing is written into the unpacked server.
    local name
    for name in bin i18n templates fonts client; do
        [ ! -e "$server/$name" ] || ln -sfn "$server/$name" "$state/$name"
    done
    mkdir -p "$state/config" "$state/files" "$state/plugins" "$state/client_plugins"
    local database="postgres://mattermost@127.0.0.1:$database_port/postgres?sslmode=disable&connect_timeout=10"
    # Whatever would call somebody else is off.
    (
        cd "$state"
        exec env \
            MM_CONFIG="$state/config/config.json" \
            MM_SQLSETTINGS_DRIVERNAME=postgres \
            MM_SQLSETTINGS_DATASOURCE="$database" \
            MM_SERVICESETTINGS_LISTENADDRESS="127.0.0.1:$port" \
            MM_SERVICESETTINGS_SITEURL="http://127.0.0.1:$port" \
            MM_SERVICESETTINGS_ALLOWEDUNTRUSTEDINTERNALCONNECTIONS="127.0.0.1" \
            MM_SERVICESETTINGS_ENABLEBOTACCOUNTCREATION=true \
            MM_SERVICESETTINGS_ENABLEUSERACCESSTOKENS=true \
            MM_SERVICESETTINGS_ENABLEINCOMINGWEBHOOKS=true \
            MM_SERVICESETTINGS_ENABLEPOSTUSERNAMEOVERRIDE=true \
            MM_SERVICESETTINGS_ENABLERELIABLEWEBSOCKETS=true \
            MM_SERVICESETTINGS_ENABLELINKPREVIEWS=false \
            MM_SERVICESETTINGS_ENABLESECURITYFIXALERT=false \
            MM_SERVICESETTINGS_ENABLEGIFPICKER=false \
            MM_LOGSETTINGS_ENABLEDIAGNOSTICS=false \
            MM_LOGSETTINGS_ENABLESENTRY=false \
            MM_LOGSETTINGS_FILELOCATION="$state" \
            MM_NOTIFICATIONLOGSETTINGS_FILELOCATION="$state" \
            MM_ANNOUNCEMENTSETTINGS_ADMINNOTICESENABLED=false \
            MM_ANNOUNCEMENTSETTINGS_USERNOTICESENABLED=false \
            MM_EMAILSETTINGS_SENDEMAILNOTIFICATIONS=false \
            MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS=false \
            MM_EMAILSETTINGS_SMTPSERVER=127.0.0.1 \
            MM_EMAILSETTINGS_SMTPPORT=9 \
            MM_PLUGINSETTINGS_ENABLE=false \
            MM_PLUGINSETTINGS_ENABLEMARKETPLACE=false \
            MM_PLUGINSETTINGS_ENABLEREMOTEMARKETPLACE=false \
            MM_TEAMSETTINGS_ENABLEOPENSERVER=true \
            MM_TEAMSETTINGS_MAXUSERSPERTEAM=1000 \
            MM_FILESETTINGS_DIRECTORY="$state/files/" \
            MM_RATELIMITSETTINGS_ENABLE="$1" \
            MM_RATELIMITSETTINGS_PERSEC="${RATE:-5}" \
            MM_RATELIMITSETTINGS_MAXBURST="${BURST:-10}" \
            MM_RATELIMITSETTINGS_VARYBYUSER=true \
            setsid "$server/bin/mattermost" server
    ) >>"$state/server.log" 2>&1 </dev/null &
    echo $! >"$state/pid"
    local tries
    for tries in $(seq 600); do
        if curl -sf --noproxy '*' "http://127.0.0.1:$port/api/v4/system/ping" >/dev/null; then return; fi
        kill -0 "$(cat "$state/pid")" 2>/dev/null || fail "the server ended; see $state/server.log (try $tries)"
        sleep 0.2
    done
    fail "the server does not answer; see $state/server.log"
}

stop_server() {
    [ -e "$state/pid" ] || return 0
    local pid
    pid=$(cat "$state/pid")
    kill "-${1:-TERM}" "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    rm -f "$state/pid"
}

case "${1:-}" in
    start)
        [ $# -eq 3 ] || fail "start SERVER STATE"
        [ -x "$2/bin/mattermost" ] || fail "there is no $2/bin/mattermost"
        state=$3
        mkdir -p "$state"
        # The database's user must get through.
        chmod a+x "$state"
        (cd "$2" && pwd) >"$state/server"
        start_database
        start_server false
        # The first user of a new server is its administrator; on the next start there is one already.
        curl -s --noproxy '*' -o /dev/null -H 'Content-Type: application/json' \
            -d "{\"username\":\"admin\",\"email\":\"admin@example.org\",\"password\":\"$password\"}" \
            "http://127.0.0.1:$port/api/v4/users"
        echo "export HALCYON_REAL_MATTERMOST=http://admin:$password@127.0.0.1:$port"
        ;;
    limit | restart)
        state=${2:?STATE}
        stop_server
        start_server "$([ "$1" = limit ] && echo true || echo false)"
        ;;
    kill)
        state=${2:?STATE}
        stop_server KILL
        ;;
    stop)
        state=${2:?STATE}
        stop_server
        as_database "$(postgres pg_ctl)" -D "$state/database" -m fast stop >/dev/null
        ;;
    *) fail "start, limit, restart, kill or stop" ;;
esac
