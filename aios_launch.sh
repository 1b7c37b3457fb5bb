#!/bin/sh
# Starts the Interface Bridge; with --keep-alive, watches it until Ctrl+C. Everything else is done by Invoke's tasks:
# this only finds the tools and hands over. More words go through: ./aios_launch.sh --keep-alive --json
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# Not .tools/bin/invoke: its first line holds the path of its interpreter, which a move makes wrong.
python="$root/.tools/bin/python"
if [ ! -x "$python" ]; then
    echo "error[no-tools]: there are no tools in $root/.tools yet." >&2
    echo "  hint: python3 \"$root/scripts/bootstrap.py\"" >&2
    exit 2
fi

task=start
if [ "${1-}" = "--keep-alive" ]; then
    # Starts the server if it does not run, too.
    task=keep-alive
    shift
fi
cd -- "$root"
exec "$python" -m invoke "$task" "$@"
