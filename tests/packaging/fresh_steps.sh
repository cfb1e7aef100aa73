# SPDX-License-Identifier: ISC
# Sourced by test-deb.sh: the way of a new user, on a system that was empty before.
# shellcheck shell=bash disable=SC2154

prepare_fresh() {
    add_repository /srv/repo
    apt_in "$root" update
    fetch skytools skytools-ticker skytools-londiste skytools-walmgr python3-pgq "postgresql-$N-pgq3" \
        "postgresql-$N-pgq-node" "postgresql-$N-pgq-coop" "postgresql-$N-pgq-ext" "postgresql-$N-pgq-merge" \
        "postgresql-$N-londiste-sql" postgresql prometheus curl jq procps
}

run_fresh() {
    step "installs from an empty system; the unit is skipped, nothing fails" fresh_install
    step "files, users, commands, completion" fresh_files
    step "the README's way to a ticker and a consumer; systemctl start" fresh_start
    step "events arrive" fresh_events
    step "metrics are good, each job is a target of Debian's prometheus, rules load" fresh_prometheus
    step "an alert fires when a job fails, and ends" fresh_alert
    step "a killed job comes back" fresh_kill_job
    step "a killed manager comes back, without orphans" fresh_kill_manager
    step "reload takes over inis without a restart" fresh_reload
    step "a faulty ini is named, the rest runs" fresh_faulty
    step "systemctl restart" fresh_restart
    step "PostgreSQL is restarted under it" fresh_server_restart
    step "Londiste: a replica by hand of no superuser, its worker a job; takeover" fresh_londiste
    step "20 jobs start and stop" fresh_many
    step "a unit for each job instead of the manager" fresh_units
    step "walmgr's unit is skipped, then archives" fresh_walmgr
    step "upgrade to a higher version" fresh_upgrade
    step "remove, and install again" fresh_remove
    step "purge leaves nothing but what the user made" fresh_purge
}

fresh_install() {
    apt_inside install skytools skytools-ticker skytools-londiste "postgresql-$N-pgq3" "postgresql-$N-pgq-node" \
        "postgresql-$N-pgq-coop" "postgresql-$N-pgq-ext" "postgresql-$N-pgq-merge" "postgresql-$N-londiste-sql" postgresql curl jq procps prometheus
    [ "$(inside systemctl is-enabled skytools)" = enabled ]
    [ "$(inside systemctl show -p ConditionResult --value skytools)" = no ]
    unit_is skytools inactive
    inside systemctl start skytools
    unit_is skytools inactive
    no_failed_units
}

completed() { # PROGRAM WORD: what a shell that has read the program's completion makes of it
    # shellcheck disable=SC2016
    inside bash -c '. "/usr/share/bash-completion/completions/$1"
        function=$(complete -p "$1" | sed "s/.*-F \([^ ]*\) .*/\1/")
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); "$function"; echo "${COMPREPLY[*]}"' bash "$@" |
        tail -n 1
}

fresh_files() {
    [ "$(inside id -gn skytools)" = skytools ]
    [ "$(inside getent passwd skytools | cut -d: -f6)" = /var/lib/skytools ]
    [ "$(inside stat -c '%U:%G %a' /etc/skytools)" = "root:root 755" ]
    [ -z "$(inside ls -A /etc/skytools)" ]
    local program
    for program in scriptmgr pgqd queue_mover queue_splitter simple_consumer simple_local_consumer; do
        inside "$program" --version
        inside test -f "/usr/share/man/man1/$program.1.gz"
    done
    for program in scriptmgr3 londiste3 queue_mover3; do # as Skytools 3 called them
        inside "$program" --version
        inside test -f "/usr/share/man/man1/$program.1.gz"
    done
    [ "$(completed scriptmgr resta)" = restart ]
    [ "$(completed pgqd --chec)" = --check ]
    [ "$(completed qadmin --jso)" = --json ]
    inside test -f /usr/share/skytools/grafana/dashboard.json
    inside test -f /usr/share/man/man5/skytools.ini.5.gz
    # Nothing from PyPI, and every module of ours can be imported with what the packages depend on.
    inside python3 -c '
import importlib, pkgutil, sys, skytools
for info in pkgutil.walk_packages(skytools.__path__, "skytools."):
    if not info.name.endswith("__main__"):
        importlib.import_module(info.name)
assert not [p for p in sys.path if "local/lib" in p and __import__("os").listdir(p)]'
    local extension
    for extension in pgq pgq_node pgq_coop pgq_ext pgq_merge londiste; do
        inside runuser -u postgres -- psql -Xqc "create extension if not exists $extension cascade"
    done
}

fresh_start() {
    make_shop
    grant_role
    inside install -m 640 -g skytools /usr/share/doc/skytools-ticker/examples/pgqd.ini /etc/skytools/
    inside sed -i 's/^base_connstr.*/base_connstr = user=skytools/' /etc/skytools/pgqd.ini
    install -m 644 "$TOP/tests/packaging/ledger.py" "$root/srv/ledger.py"
    drop_ini ledger "$(printf '[ledger]\nscript = /srv/ledger.py\ndb = dbname=shop\nqueue_name = orders\n')"
    inside scriptmgr check
    inside systemctl start skytools
    inside scriptmgr status --wait --timeout 60
    jobs_ready 2 || { status_json; return 1; }
    [ "$(job pgqd service)" = pgqd ]
    [ "$(job ledger state)" = running ]
    wait_until 10 systemd_knows '2/2 jobs ready'
}

systemd_knows() { # TEXT
    inside systemctl show -p StatusText --value skytools | grep -F "$1"
}

fresh_events() {
    produce 200
    wait_until 30 all_arrived
}

prometheus_says() { # PATH JQ-FILTER: whether the filter is true of the answer
    inside curl -sf "http://127.0.0.1:9090/api/v1/$1" | inside jq -e "$2"
}

fresh_prometheus() {
    inside curl -sf http://127.0.0.1:8432/metrics >"$root/srv/metrics"
    inside sh -c 'promtool check metrics </srv/metrics'
    grep '^skytools_pgq_queue_events_total{' "$root/srv/metrics"
    grep '^process_resident_memory_bytes{job_name="ledger"}' "$root/srv/metrics"
    inside promtool check rules /usr/share/skytools/prometheus/rules.yml
    # The same rules, but five seconds are enough.
    inside sh -c 'sed "s/\"5m\"/\"5s\"/" /usr/share/skytools/prometheus/rules.yml >/etc/prometheus/skytools.yml'
    inside sh -c '
        printf "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        sed "s#/usr/share/skytools/prometheus/rules.yml#/etc/prometheus/skytools.yml#" \
            /usr/share/doc/skytools/examples/prometheus.yml
        printf "        refresh_interval: 1s\n"' >"$root/srv/prometheus.yml"
    inside cp /srv/prometheus.yml /etc/prometheus/prometheus.yml
    inside systemctl restart prometheus
    wait_until 60 prometheus_says targets \
        '[.data.activeTargets[] | select(.health == "up") | .labels.job_name] | contains(["pgqd", "ledger"])'
    wait_until 10 prometheus_says rules '[.data.groups[].rules[]] | length > 8 and all(.health == "ok")'
}

firing='[.data.alerts[] | select(.state == "firing" and .labels.alertname == "SkytoolsJobDown") | .labels.job_name]'
fresh_alert() {
    prometheus_says alerts "$firing == []"
    inside mv /srv/ledger.py /srv/ledger.away
    inside scriptmgr restart ledger || true
    wait_until 60 prometheus_says alerts "$firing == [\"ledger\"]"
    inside mv /srv/ledger.away /srv/ledger.py
    inside scriptmgr start ledger -w
    wait_until 60 prometheus_says alerts "$firing == []"
    inside systemctl stop prometheus
}

fresh_kill_job() {
    local old
    old=$(job ledger pid)
    produce 20
    inside sh -c "kill -KILL $old"
    produce 20
    wait_until 30 jobs_ready 2
    [ "$(job ledger pid)" != "$old" ]
    wait_until 30 all_arrived
}

processes() { inside pgrep -u skytools || true; }

fresh_kill_manager() {
    local manager old
    manager=$(main_pid skytools)
    old=$(processes)
    inside sh -c "kill -KILL $manager"
    wait_until 30 unit_is skytools active
    wait_until 30 jobs_ready 2
    [ "$(main_pid skytools)" != "$manager" ]
    local pid
    for pid in $old; do
        refused grep -x "$pid" <<<"$(processes)"
    done
    produce 20
    wait_until 30 all_arrived
}

fresh_reload() {
    local ticker consumer manager
    ticker=$(job pgqd pid) consumer=$(job ledger pid) manager=$(main_pid skytools)
    inside sed -i '$ a loop_delay = 0.5' /etc/skytools/ledger.ini
    drop_ini second "$(printf '[second]\nscript = /srv/ledger.py\ndb = dbname=shop\nqueue_name = orders\nconsumer_name = second\n')"
    sql "create table other (like ledger); grant insert on other to skytools"
    inside systemctl reload skytools
    wait_until 30 jobs_ready 3
    [ "$(job pgqd pid)" = "$ticker" ]
    [ "$(job ledger pid)" = "$consumer" ]
    [ "$(main_pid skytools)" = "$manager" ]
    inside rm /etc/skytools/second.ini
    inside systemctl reload skytools
    wait_until 30 jobs_ready 2
    sql "select pgq.unregister_consumer('orders', 'second'); delete from ledger a using ledger b where a.ctid > b.ctid and a.id = b.id"
}

fresh_faulty() {
    drop_ini faulty "$(printf '[pgqd]\nno_such_key = 1\n')"
    refused inside scriptmgr check
    inside systemctl reload skytools || true
    wait_until 30 jobs_ready 2
    inside rm /etc/skytools/faulty.ini
    inside systemctl reload skytools
    inside scriptmgr check
    inside scriptmgr status --wait
}

fresh_restart() {
    local old
    old=$(job ledger pid)
    inside systemctl restart skytools
    inside scriptmgr status --wait
    [ "$(job ledger pid)" != "$old" ]
    produce 20
    wait_until 30 all_arrived
}

fresh_server_restart() {
    local ticker
    ticker=$(job pgqd pid)
    inside systemctl restart postgresql
    wait_until 30 server_answers
    produce 20
    wait_until 60 all_arrived
    wait_until 60 jobs_ready 2
    [ "$(job pgqd pid)" = "$ticker" ]
}

fresh_many() {
    local i begun
    for i in $(seq 18); do
        drop_ini "many$i" "$(printf '[many]\nscript = /srv/idle.py\ndb = dbname=shop\nqueue_name = orders\nconsumer_name = many%s\n' "$i")"
    done
    install -m 644 "$TOP/tests/packaging/idle.py" "$root/srv/idle.py"
    inside systemctl stop skytools
    begun=$EPOCHREALTIME
    inside systemctl start skytools
    inside scriptmgr status --wait >/dev/null
    jobs_ready 20
    printf 'figure: 20 jobs ready after %s s\n' "$(seconds_since "$begun")"
    begun=$EPOCHREALTIME
    inside systemctl stop skytools
    printf 'figure: stopped after %s s\n' "$(seconds_since "$begun")"
    [ -z "$(processes)" ]
    inside find /etc/skytools -name 'many*.ini' -delete
    for i in $(seq 18); do
        sql "select pgq.unregister_consumer('orders', 'many$i')"
    done
    inside systemctl start skytools
    inside scriptmgr status --wait
}

fresh_units() {
    inside systemctl disable --now skytools
    inside systemctl enable skytools-jobs.target
    inside systemctl daemon-reload
    inside systemctl start skytools-jobs.target
    wait_until 60 unit_is skytools@pgqd active
    wait_until 60 unit_is skytools@ledger active
    produce 20
    wait_until 30 all_arrived
    inside systemctl reload skytools@ledger
    inside systemctl stop skytools-jobs.target
    wait_until 30 unit_is skytools@ledger inactive
    wait_until 30 unit_is skytools@pgqd inactive
    [ -z "$(processes)" ]
    inside systemctl disable skytools-jobs.target
    inside systemctl daemon-reload
    inside systemctl enable --now skytools
    inside scriptmgr status --wait
}

receiver_streams() {
    inside runuser -u postgres -- walmgr /etc/skytools-walmgr/main.ini status | grep '^receiver *streaming'
}

fresh_walmgr() {
    apt_inside install skytools-walmgr
    unit_is skytools-walmgr inactive
    no_failed_units
    sed "s/@N@/$N/g" "$TOP/tests/packaging/walmgr.ini" >"$root/etc/skytools-walmgr/main.ini"
    inside chown root:postgres /etc/skytools-walmgr/main.ini
    inside pg_createcluster --port 5433 "$N" standby
    inside find "/var/lib/postgresql/$N/standby" -mindepth 1 -delete
    inside runuser -u postgres -- walmgr /etc/skytools-walmgr/main.ini pair
    inside systemctl start skytools-walmgr
    inside runuser -u postgres -- scriptmgr -I walmgr status --wait
    wait_until 30 receiver_streams
    sql "select pg_switch_wal()"
    # shellcheck disable=SC2016
    wait_until 30 inside sh -c 'test -n "$(find /var/lib/postgresql/walshipping -type f -name "0*")"'
    inside curl -sf http://127.0.0.1:8433/metrics | grep '^skytools_walmgr_'
    # Servers of the same user live on when the unit stops; parallel queries use shared memory by name.
    inside systemctl stop skytools-walmgr
    sql "set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; select count(*) from ledger"
    inside runuser -u postgres -- psql -Xqc "select pg_is_in_recovery()" -p 5433
    inside rm /etc/skytools-walmgr/main.ini
    inside pg_dropcluster --stop "$N" standby
    inside runuser -u postgres -- psql -Xqc "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
}

fresh_upgrade() {
    local before old
    before=$(installed_version skytools) old=$(job ledger pid)
    # An upgrade asks nothing about a file that the administrator has changed.
    inside sed -i '$ a # our site' /etc/skytools.ini
    add_repository /srv/repo/next
    update_ours
    produce_steadily
    apt_inside dist-upgrade
    [ "$(installed_version skytools)" != "$before" ]
    inside scriptmgr status --wait
    [ "$(job ledger pid)" != "$old" ]
    stop_producing
    refused inside test -e /tmp/producer-failed
    wait_until 30 all_arrived
    inside grep '# our site' /etc/skytools.ini
    [ "$(inside find /etc -name '*.dpkg-*' | wc -l)" = 0 ]
}

fresh_remove() {
    apt_inside remove skytools
    [ -z "$(processes)" ]
    refused inside systemctl cat skytools
    inside test -f /etc/skytools/ledger.ini
    apt_inside install skytools
    wait_until 30 jobs_ready 2
    inside grep '# our site' /etc/skytools.ini
}

fresh_purge() {
    apt_inside purge skytools skytools-ticker skytools-walmgr python3-skytools
    [ -z "$(processes)" ]
    # Left: the user's inis, and the extensions' scripts; the rest is the test's own.
    inside find / -xdev \( -path /proc -o -path /sys -o -path /srv -o -path /var/cache -o -path /var/lib/apt \
        -o -path /var/log/journal -o -path /var/log/apt \) -prune -o -iname '*skytools*' -print | sort >"$root/srv/left"
    printf '%s\n' /etc/apt/apt.conf.d/90skytools /etc/apt/sources.list.d/skytools.list /etc/prometheus/skytools.yml \
        /etc/skytools /etc/skytools-suite "/usr/share/postgresql/$N/skytools" | diff - "$root/srv/left"
    inside test -f /etc/skytools/ledger.ini
    [ -z "$(inside find / -xdev -name '*.py' -path '*skytools*' -not -path '/srv/*')" ]
    # The data stays, and the extension works without a service of ours.
    sql "select pgq.insert_event('orders', 'n', 'still there')"
    apt_inside purge "postgresql-$N-pgq3" "postgresql-$N-pgq-ext" "postgresql-$N-pgq-merge" "postgresql-$N-londiste-sql"
    inside find "/usr/lib/postgresql/$N" "/usr/share/postgresql/$N" \( -name '*pgq*' ! -name 'spgq*' \) -o -name skytools \
        >"$root/srv/left" # PostgreSQL's own spgquadtreeproc is none of ours
    diff /dev/null "$root/srv/left"
    sql "select count(*) from pgq.event_template" | grep -v '^0$'
}
