# SPDX-License-Identifier: ISC
# Sourced after boot.sh: what both ways need in the booted system: apt, PostgreSQL, a producer, a look at jobs.
# shellcheck shell=bash disable=SC2154

# No network in there: what is to be installed lies in the cache of packages.
fetch() { # PACKAGE...
    apt_in "$root" install --download-only "$@"
}

add_repository() { # FOLDER, as seen from inside
    printf 'deb [trusted=yes] file:%s ./\n' "$1" >"$root/etc/apt/sources.list.d/skytools.list"
}

# Reads the list of our own repository only.
update_ours() {
    inside apt-get -q update -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/skytools.list \
        -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
}

apt_inside() {
    inside apt-get -y -q -o Dpkg::Use-Pty=0 "$@"
}

installed_version() { # PACKAGE
    # shellcheck disable=SC2016
    inside dpkg-query -W -f '${Version}' "$1"
}

sql() { # STATEMENT, in database shop
    inside runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d shop -c "$1"
}

server_answers() { sql 'select 1' >/dev/null; }

make_shop() {
    inside systemctl start postgresql
    wait_until 30 inside runuser -u postgres -- psql -XAtqc 'select 1'
    inside runuser -u postgres -- createdb shop
    sql "create extension pgq"
    sql "select pgq.create_queue('orders')"
    sql "create table produced (id int8)"
    sql "create table ledger (id int8, data text)"
}

# Gives the service's user the rights that README.Debian tells of, and those on the ledger.
grant_role() {
    inside runuser -u postgres -- createuser skytools
    sql "grant pgq_admin to skytools; grant insert on ledger to skytools"
}

produce() { # HOW MANY: one transaction each
    local i
    for ((i = 0; i < $1; i++)); do
        printf "insert into produced select pgq.insert_event('orders', 'n', '%d');\n" "$i"
    done >"$root/srv/produce.sql"
    inside runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d shop -f /srv/produce.sql
}

# Ten events a second until the file is gone, each in a session of its own, as a web application has it.
produce_steadily() {
    inside touch /srv/producing
    # shellcheck disable=SC2016
    inside systemd-run --quiet --unit=producer --collect -p User=postgres bash -c '
        while [ -e /srv/producing ]; do
            psql -Xq -v ON_ERROR_STOP=1 -d shop \
                -c "insert into produced select pgq.insert_event('"'orders', 'n', 'x'"')" || touch /tmp/producer-failed
            sleep 0.1
        done'
}

stop_producing() {
    inside rm -f /srv/producing
    wait_until 10 unit_is producer inactive
}

# `set -e` looks over a command with `!`.
refused() { # COMMAND...
    if "$@"; then
        printf 'this should have failed: %s\n' "$*" >&2
        return 1
    fi
}

no_failed_units() {
    refused inside sh -c "systemctl --failed --no-legend | grep -E 'skytools|pgq'"
}

is_installed() { # PACKAGE
    # shellcheck disable=SC2016
    [ "$(inside dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

unit_is() { # UNIT STATE
    [ "$(inside systemctl is-active "$1" || true)" = "$2" ]
}

produced() { sql "select count(*) from produced"; }

# Every event that was committed is in the ledger, once.
all_arrived() {
    local missing doubled
    missing=$(sql "select count(*) from produced p where not exists (select from ledger l where l.id = p.id)")
    doubled=$(sql "select count(*) - count(distinct id) from ledger")
    printf '%s missing, %s doubled of %s\n' "$missing" "$doubled" "$(produced)"
    [ "$missing" = 0 ] && [ "$doubled" = 0 ]
}

# Without the manager's own.
status_json() { inside scriptmgr status --json | inside jq '[.[] | select(.job_name != "skytools-exporter")]'; }

job() { # NAME KEY
    status_json | inside jq -r --arg name "$1" ".[] | select(.job_name == \$name) | .$2"
}

jobs_ready() { # HOW MANY
    [ "$(status_json | inside jq '[.[] | select(.ready)] | length')" = "$1" ]
}

drop_ini() { # NAME TEXT
    printf '%s\n' "$2" >"$root/etc/skytools/$1.ini"
    inside chown root:skytools "/etc/skytools/$1.ini"
    inside chmod 640 "/etc/skytools/$1.ini"
}

main_pid() { inside systemctl show -p MainPID --value "$1"; }

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'; }
