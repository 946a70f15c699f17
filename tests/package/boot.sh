#!/bin/sh
# Boots a clean Debian with systemd in a container of this host, and has life.sh install, use and
# purge the package there: boot.sh FOLDER DEB. FOLDER is what scratch.py --clean has made, and stays
# as it is. Needs root and systemd-nspawn, and room for another systemd in this kernel's control groups.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# The container gives up, with an error, when nothing comes of it.
timeout 300 systemd-nspawn --quiet --register=no --keep-unit --directory="$(realpath "$1")" \
    --volatile=overlay --private-network --console=pipe \
    --bind-ro="$(realpath "$2"):/larder.deb" --bind-ro="$here/life.sh:/life.sh" --bind="$out:/out" \
    --boot systemd.run=/life.sh systemd.run_success_action=exit systemd.run_failure_action=exit \
    > "$out/console" 2>&1 < /dev/null || true
if [ "$(cat "$out/verdict" 2> /dev/null)" = good ]; then
    cat "$out/said"
else
    cat "$out/console" "$out/trace" >&2 2> /dev/null || true
    echo "the package does not live under systemd" >&2
    exit 1
fi
