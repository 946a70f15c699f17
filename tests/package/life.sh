#!/bin/sh
# A life of the package under systemd, as boot.sh has it: each command must succeed.
set -eux
exec > /out/trace 2>&1

say() {
    echo "$1" >> /out/said
}
# What systemd knows of a unit.
property() {
    systemctl show "$1" --property="$2" --value
}
# Whether the daemon is in this state.
is_in() {
    test "$(property larderd SubState)" = "$1"
}
fails() {
    if "$@"; then exit 1; fi
}
# Waits until a command succeeds.
await() {
    for _ in $(seq 300); do
        if "$@"; then return; fi
        sleep 0.1
    done
    exit 1
}

dpkg --install /larder.deb
test "$(property larderd ActiveState)" = active
test "$(property larderd User)" = larder
property larderd StatusText | grep -q '^Serving 127.0.0.1:11211'
larder set a b
test "$(larder get a)" = b
say "installed, started, serves: $(property larderd StatusText)"

pid=$(property larderd MainPID)
grep -q 'CapEff:.*0000000000000000' "/proc/$pid/status"
grep -q 'Seccomp:.*2' "/proc/$pid/status"
systemctl reload larderd
await is_in running
test "$(property larderd MainPID)" = "$pid"
test "$(larder get a)" = b
say 'reloaded'

# Other settings, everything that reaches for what the unit gives up.
cat > /etc/larder/two.conf << 'END'
-p 11300
-l 127.0.0.1
-s /run/larder/socket
-a 770
-P /run/larder/two.pid
-c 5000
-o drop_privileges
cluster-state /var/lib/larder/two
END
systemctl start larderd@two
larder --server 127.0.0.1:11300 version
larder --server /run/larder/socket version
test -e /run/larder/two.pid
fails journalctl --quiet --output=cat --unit=larderd@two --grep='^(warn|error)'
say "an instance: $(property larderd@two StatusText)"

# A process that stands still is found out, and replaced.
mkdir -p /run/systemd/system/larderd@two.service.d
printf '[Service]\nWatchdogSec=3\n' > /run/systemd/system/larderd@two.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart larderd@two
sleep 5
test "$(property larderd@two NRestarts)" = 0
kill -STOP "$(property larderd@two MainPID)"
replaced() {
    test "$(property larderd@two NRestarts)" = 1 && larder --server 127.0.0.1:11300 version
}
await replaced
say 'the watchdog is fed, and bites'

# systemd binds the addresses, here one that larderd could not bind itself.
systemctl stop larderd
mkdir -p /run/systemd/system/larderd.socket.d
printf '[Socket]\nListenStream=\nListenStream=127.0.0.1:211\n' \
    > /run/systemd/system/larderd.socket.d/port.conf
systemctl daemon-reload
systemctl start larderd.socket
test "$(property larderd ActiveState)" = inactive
larder --server 127.0.0.1:211 set a b
test "$(property larderd StatusText | cut -d ' ' -f 2)" = 127.0.0.1:211
systemctl stop larderd.socket larderd
rm -r /run/systemd/system/larderd.socket.d
systemctl daemon-reload
systemctl start larderd
say 'a socket unit starts it'

# Items and listeners outlast a restart. Whoever connects while nobody serves is answered afterwards.
echo keep-memory >> /etc/larder/larderd.conf
mkdir -p /run/systemd/system/larderd.service.d
printf '[Service]\nExecStartPre=/bin/sleep 3\n' > /run/systemd/system/larderd.service.d/slow.conf
systemctl daemon-reload
systemctl restart larderd
larder set kept yes
systemctl restart --no-block larderd
await is_in start-pre
test "$(larder get kept)" = yes
# The memory, 127.0.0.1, ::1 and the admin listener.
test "$(property larderd NFileDescriptorStore)" = 4
rm -r /run/systemd/system/larderd.service.d
systemctl daemon-reload
say 'restarted: items are kept, and a client waited'

# The same version again is an upgrade: what runs is started again, changed settings stay.
echo '-m 128' >> /etc/larder/larderd.conf
pid=$(property larderd MainPID)
dpkg --install --force-confold /larder.deb
test "$(property larderd MainPID)" != "$pid"
property larderd StatusText | grep -q '128 MB'
test "$(larder get kept)" = yes
larder --server 127.0.0.1:11300 version
say 'upgraded'

systemctl stop larderd
fails larder get kept
systemctl start larderd
fails larder get kept

rm /etc/larder/two.conf
dpkg --purge larder
for left in /etc/larder /run/larder /var/lib/larder /usr/bin/larderd \
    /etc/systemd/system/multi-user.target.wants/larderd.service; do
    test ! -e "$left"
done
fails getent passwd larder
fails grep -qs larderd /proc/[0-9]*/comm
say 'purged, nothing is left'
echo good > /out/verdict
