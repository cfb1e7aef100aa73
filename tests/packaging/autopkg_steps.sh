# SPDX-License-Identifier: ISC
# Sourced by test-deb.sh: runs debian/tests as autopkgtest would, in a booted system with what their control asks for.
# shellcheck shell=bash disable=SC2154

prepare_autopkg() {
    # The binary packages (@ in debian/tests/control), and all that the tests name besides.
    autopkg_packages=(skytools skytools-ticker skytools-londiste skytools-walmgr python3-pgq "postgresql-$N-pgq3"
        "postgresql-$N-pgq-node" "postgresql-$N-pgq-coop" "postgresql-$N-pgq-ext" "postgresql-$N-pgq-merge"
        "postgresql-$N-londiste-sql"
        curl jq make postgresql postgresql-all postgresql-server-dev-all procps python3)
    mkdir -p "$root/srv/source"
    git -C "$TOP" archive "${SKYTOOLS_TREE:-HEAD}" | tar -C "$root/srv/source" -xf -
    add_repository /srv/repo
    apt_in "$root" update
    fetch "${autopkg_packages[@]}"
}

run_autopkg() {
    step "autopkgtest: packages install" autopkg_install
    step "autopkgtest: installcheck" autopkg_installcheck
    step "autopkgtest: cluster" autopkg_cluster
    step "autopkgtest: service" autopkg_service
}

autopkg_test() { # NAME
    inside sh -c "mkdir -p /tmp/$1 && cd /srv/source && AUTOPKGTEST_TMP=/tmp/$1 debian/tests/$1"
}

autopkg_install() {
    # The list above has each package that a test names.
    sed -n 's/^ \([a-z0-9-]*\),$/\1/p' "$root/srv/source/debian/tests/control" | sort -u >"$root/srv/named"
    [ -z "$(printf '%s\n' "${autopkg_packages[@]}" | sort -u | comm -13 - "$root/srv/named")" ]
    apt_inside install "${autopkg_packages[@]}"
}

autopkg_installcheck() { autopkg_test installcheck; }
autopkg_cluster() { autopkg_test cluster; }
autopkg_service() { autopkg_test service; }
