# SPDX-License-Identifier: ISC
# Sourced by test-deb.sh: Londiste in the way of a new user (fresh_steps.sh).
# shellcheck shell=bash disable=SC2154

londiste_of() { # NODE ARGUMENTS...: as the user of the service
    local node=$1
    shift
    inside runuser -u skytools -- londiste "/etc/skytools/londiste_$node.ini" "$@"
}

on_node() { # NODE STATEMENT, as an application would
    inside runuser -u skytools -- psql -XAtq -v ON_ERROR_STOP=1 -d "node_$1" -c "$2"
}

carried() { # NODE HOW MANY: rows of the shop
    [ "$(on_node "$1" 'select count(*) from sale')" = "$2" ]
}

fresh_londiste() {
    local node
    for node in a b; do
        inside runuser -u postgres -- createdb -O skytools "node_$node"
        inside runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -d "node_$node" -c 'create extension pgq' \
            -c 'create extension pgq_node' -c 'create extension londiste' -c 'grant pgq_admin, londiste_writer to skytools'
        drop_ini "londiste_$node" "$(printf '[londiste]\ndb = dbname=node_%s\nqueue_name = shop\n' "$node")"
    done
    drop_ini ticker_nodes "$(printf '[pgqd]\nbase_connstr = user=skytools\ndatabase_list = node_a,node_b\n')"
    on_node a "create table sale (id int8 primary key, note text); insert into sale select n, 'old' from generate_series(1, 5000) n"
    londiste_of a create-root a 'dbname=node_a'
    londiste_of b create-branch b 'dbname=node_b' --provider='dbname=node_a'
    inside systemctl reload skytools
    inside scriptmgr status --wait --timeout 60
    jobs_ready 5
    londiste_of a add-table sale
    londiste_of b add-table sale --create --wait-sync
    on_node a "insert into sale values (0, 'new')"
    wait_until 30 carried b 5001
    londiste_of b compare
    fresh_stop_in_copy
    londiste_of b takeover a
    refused on_node a "insert into sale values (-1, 'refused')"
    on_node b "insert into sale values (-1, 'taken')"
    wait_until 30 carried a 5002
    londiste_of a check
    inside sh -c 'rm /etc/skytools/londiste_?.ini /etc/skytools/ticker_nodes.ini'
    inside systemctl reload skytools
    wait_until 30 jobs_ready 2
    inside runuser -u postgres -- dropdb -f node_a
    inside runuser -u postgres -- dropdb -f node_b
}

copying() { # whether the server is at work on the copy of table slow
    on_node b "select count(*) from pg_stat_activity where state = 'active' and query ~* '^copy .*slow'" | grep -x '[1-9]'
}

# Part of fresh_londiste: the manager is stopped while a table is copied, which goes on after the next start.
fresh_stop_in_copy() {
    on_node a "create table slow (id int4 primary key); insert into slow select generate_series(1, 3000)"
    on_node b "create function dawdle() returns bool language plpgsql as 'begin perform pg_sleep(0.005); return true; end'"
    on_node b "create table slow (id int4 primary key constraint slowly check (dawdle()))"
    londiste_of a add-table slow
    londiste_of b add-table slow
    wait_until 30 copying
    local begun=$EPOCHREALTIME
    inside systemctl stop skytools
    printf 'figure: stopped within a copy after %s s\n' "$(seconds_since "$begun")"
    [ -z "$(processes)" ]
    [ "$(inside systemctl show -p Result --value skytools)" = success ]
    on_node b "alter table slow drop constraint slowly"
    inside systemctl start skytools
    inside scriptmgr status --wait --timeout 60
    londiste_of b wait-sync
    [ "$(on_node b 'select count(*) from slow')" = 3000 ]
    londiste_of b compare slow
}
