#!/bin/sh
# Options alone are options of larderd; anything else is a command.
set -e

case "$1" in
-*) set -- larderd "$@" ;;
esac
exec "$@"
