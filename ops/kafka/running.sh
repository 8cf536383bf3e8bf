#!/usr/bin/env bash
# Succeeds when the node of FOLDER runs. A pid file alone proves nothing: after a reboot the number belongs to somebody else.
dir=$(cd "${1:?folder}" 2>/dev/null && pwd) || exit 1
pid=$(cat "$dir/pid" 2>/dev/null) || exit 1
{ tr '\0' ' ' <"/proc/$pid/cmdline" || ps -o command= -p "$pid"; } 2>/dev/null | grep -qF "$dir/server.properties"
