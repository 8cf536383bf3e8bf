#!/usr/bin/env bash
# Stop the node of FOLDER: cleanly (SIGTERM, SIGKILL after 20 s), or with KILL as a crash. Usage: stop.sh FOLDER [KILL]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); dir=${1:?folder}; signal=${2:-TERM}
"$here/running.sh" "$dir" || exit 0
pid=$(cat "$dir/pid"); kill "-$signal" "$pid" 2>/dev/null || exit 0
for _ in $(seq 200); do "$here/running.sh" "$dir" || exit 0; sleep 0.1; done
kill -KILL "$pid"
