# SPDX-License-Identifier: ISC
# Sourced after common.sh: a booted system of its own, with systemd and a loopback network only.
# shellcheck shell=bash

machine_pid='' unshare_pid='' machine_cgroup=''

# Prints a new control group, the root of what a system will see: two of them at a time would share their units' groups,
# and kill each other's processes. Prints nothing where none can be made.
new_cgroup() {
    local mount group
    mount=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
    group=$mount/skytools-test.$$.$RANDOM
    [ -z "$mount" ] || ! mkdir "$group" 2>/dev/null || printf '%s\n' "$group"
}

boot() { # FOLDER
    local root=$1 deadline=$((SECONDS + 180))
    rm -f "$root/usr/sbin/policy-rc.d"
    printf 'skytools-test\n' >"$root/etc/hostname"
    printf '127.0.0.1 localhost skytools-test\n' >"$root/etc/hosts"
    : >"$root/etc/machine-id"
    # The one thing of the sandbox that the kernel refuses in here.
    mkdir -p "$root/etc/systemd/system/service.d"
    printf '[Service]\nPrivateUsers=no\n' >"$root/etc/systemd/system/service.d/test.conf"
    mkdir -p "$CHROOTS/cache-$(cat "$root/etc/skytools-suite")"
    machine_cgroup=$(new_cgroup)
    # shellcheck disable=SC2016
    bash -c '
        [ -z "$1" ] || echo $$ >"$1/cgroup.procs"
        shift
        exec unshare --mount --pid --uts --ipc --cgroup --net --fork --kill-child "$@"
    ' bash "$machine_cgroup" bash -euc '
        root=$1 cache=$2
        mount --make-rprivate /
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        mkdir "$root/dev/pts" "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        ln -s pts/ptmx "$root/dev/ptmx"
        for node in null zero full random urandom tty; do
            touch "$root/dev/$node"
            mount --bind "/dev/$node" "$root/dev/$node"
        done
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        mount --bind "$cache" "$root/var/cache/apt/archives"
        ip link set lo up
        exec env -i container=skytools PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /sbin/init
    ' bash "$root" "$CHROOTS/cache-$(cat "$root/etc/skytools-suite")" </dev/null >"$root.boot.log" 2>&1 &
    unshare_pid=$!
    while :; do
        [ "$SECONDS" -lt "$deadline" ] || die "$root does not boot, see $root.boot.log"
        kill -0 "$unshare_pid" 2>/dev/null || die "$root does not boot: $(tail -n 3 "$root.boot.log")"
        machine_pid=$(cat "/proc/$unshare_pid/task/$unshare_pid/children" 2>/dev/null || true)
        machine_pid=${machine_pid%% *}
        case $(inside systemctl is-system-running 2>/dev/null || true) in
            running | degraded) return 0 ;;
        esac
        sleep 0.2
    done
}

# Runs a command in the booted system, as root.
inside() {
    nsenter -t "$machine_pid" -m -p -u -i -C -n -r \
        env -i -C / PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

shut_down() {
    [ -n "${unshare_pid:-}" ] || return 0
    kill -KILL "$unshare_pid" 2>/dev/null || true
    wait "$unshare_pid" 2>/dev/null || true
    [ -z "$machine_cgroup" ] || remove_cgroup
    unshare_pid='' machine_pid='' machine_cgroup=''
}

# Its processes have been killed, and may take a moment to be gone.
remove_cgroup() {
    local deadline=$((SECONDS + 10))
    until find "$machine_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || return 0
        sleep 0.2
    done
}

# Waits until a command succeeds; its last output is shown when it does not. The time is what it may take on an idle
# machine: this one may be busy.
wait_until() { # SECONDS COMMAND...
    local deadline=$((SECONDS + 3 * $1)) last
    shift
    until last=$("$@" 2>&1); do
        if [ "$SECONDS" -ge "$deadline" ]; then
            printf 'still not so: %s\n%s\n' "$*" "$last" >&2
            return 1
        fi
        sleep 0.2
    done
}
