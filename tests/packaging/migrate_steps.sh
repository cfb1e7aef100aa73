# SPDX-License-Identifier: ISC
# Sourced by test-deb.sh: the way of a site with Debian's pgqd, pgq 3 and python3-pgq, its queue in use all the time.
# shellcheck shell=bash disable=SC2154

prepare_migrate() {
    fetch pgqd python3-pgq python3-londiste "postgresql-$N-pgq3" "postgresql-$N-pgq-node" \
        "postgresql-$N-londiste-sql" postgresql jq
    add_repository /srv/repo
    apt_in "$root" update
    fetch skytools skytools-ticker skytools-londiste python3-pgq "postgresql-$N-pgq3" "postgresql-$N-pgq-node" \
        "postgresql-$N-londiste-sql"
    # Until the upgrade there are Debian's packages only.
    rm "$root/etc/apt/sources.list.d/skytools.list"
}

run_migrate() {
    step "Debian's pgqd, pgq 3 and a consumer of python3-pgq are at work" migrate_before
    step "ours take their place while events are made" migrate_upgrade
    step "README.Debian's way to the new ticker" migrate_ticker
    step "the old consumer runs with the new python3-pgq" migrate_consumer
    step "alter extension pgq update while events are made" migrate_extension
    step "the old consumer is a job of the manager" migrate_job
    step "our Londiste in the place of Debian's, which is refused" migrate_relations
    step "back to Debian's pgqd: apt takes the new ticker away" migrate_back
}

old_consumer() { inside systemd-run --quiet --unit=old-consumer --collect -p User=postgres \
    python3 /srv/old_ledger.py /srv/old_ledger.ini; }

migrate_before() {
    apt_inside install pgqd python3-pgq python3-londiste "postgresql-$N-pgq3" "postgresql-$N-pgq-node" postgresql jq
    make_shop
    sql "select pgq.version()" | grep '^3\.'
    sql "select pgq.set_queue_config('orders', 'ticker_max_lag', '0.2')"
    sql "create table captured (id int4 primary key, note text)"
    sql "create trigger capture after insert or update on captured for each row execute function pgq.logutriga('orders')"
    cp "$TOP/tests/packaging/old_ledger.py" "$TOP/tests/packaging/old_ledger.ini" "$root/srv/"
    inside systemctl restart pgqd
    inside runuser -u postgres -- python3 /srv/old_ledger.py /srv/old_ledger.ini --register
    old_consumer
    produce 50
    sql "insert into captured values (1, 'by trigger')"
    wait_until 60 all_arrived
    wait_until 60 sees_capture 1
}

sees_capture() { # ID: whether the change of that row has come through
    [ "$(sql "select count(*) from ledger where data like 'id=$1&%'")" = 1 ]
}

migrate_upgrade() {
    add_repository /srv/repo
    update_ours
    produce_steadily
    apt_inside install skytools skytools-ticker python3-pgq "postgresql-$N-pgq3" "postgresql-$N-pgq-node"
    local package
    for package in skytools python3-skytools python3-pgq "postgresql-$N-pgq3" "postgresql-$N-pgq-node"; do
        installed_version "$package" | grep '^4\.'
    done
    refused is_installed pgqd
    refused is_installed python3-londiste
    # The database has the old SQL still, and new sessions call the new library.
    sql "select extversion from pg_extension where extname = 'pgq'" | grep '^3\.'
    sql "insert into captured values (2, 'by trigger')"
    refused inside test -e /tmp/producer-failed
    unit_is producer active
}

migrate_ticker() {
    grant_role
    inside install -m 640 -g skytools /etc/pgqd.ini /etc/skytools/pgqd.ini
    inside sed -i -e '/^ *\(logfile\|pidfile\)/d' -e 's/^[# ]*base_connstr.*/base_connstr = user=skytools/' \
        /etc/skytools/pgqd.ini
    inside systemctl start skytools
    inside scriptmgr status --wait
    stop_producing
    refused inside test -e /tmp/producer-failed
    wait_until 60 all_arrived
    wait_until 60 sees_capture 2
}

migrate_consumer() {
    inside systemctl stop old-consumer
    old_consumer
    produce 50
    wait_until 60 all_arrived
}

migrate_extension() {
    produce_steadily
    sql "alter extension pgq update"
    sql "select extversion from pg_extension where extname = 'pgq'" | grep '^4\.'
    sql "insert into captured values (3, 'by trigger')"
    produce 50
    stop_producing
    refused inside test -e /tmp/producer-failed
    wait_until 60 all_arrived
    wait_until 60 sees_capture 3
    [ "$(sql "select queue_ticker_max_lag from pgq.queue where queue_name = 'orders'")" = 00:00:00.2 ]
}

migrate_job() {
    inside systemctl stop old-consumer
    sql "grant pgq_admin to skytools; grant insert on ledger to skytools"
    drop_ini old_ledger "$(sed -e '/^pidfile/d' -e 's#^\[old_ledger\]#&\nscript = /srv/old_ledger.py#' "$root/srv/old_ledger.ini")"
    inside systemctl reload skytools
    inside scriptmgr status --wait
    jobs_ready 2
    produce 50
    wait_until 60 all_arrived
}

migrate_relations() {
    apt_inside install --no-remove "postgresql-$N-londiste-sql" skytools-londiste
    installed_version "postgresql-$N-londiste-sql" | grep '^4\.'
    inside dpkg -s "postgresql-$N-pgq3" | grep '^Version: 4\.'
    refused apt_inside install --no-remove python3-londiste
    refused apt_inside install --no-remove pgqd=3.5*
    # Debian's pgq3 depends on pgqd, which our ticker provides: it stays.
    inside apt-get -s install --allow-downgrades "postgresql-$N-pgq3=3.5*" >"$root/srv/downgrade"
    grep "^Inst postgresql-$N-pgq3 " "$root/srv/downgrade"
    refused grep '^Remv skytools-ticker ' "$root/srv/downgrade"
}

migrate_back() {
    apt_inside install 'pgqd=3.5*'
    refused is_installed skytools-ticker
    is_installed pgqd
    inside rm /etc/skytools/pgqd.ini
    inside systemctl reload skytools
    inside systemctl restart pgqd
    produce 20
    wait_until 60 all_arrived
}
