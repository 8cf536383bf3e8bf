#!/usr/bin/env bash
# Start one Kafka node on loopback. Usage: KAFKA_LIBS=folder-of-jars start.sh FOLDER
# The first start picks two free ports (or KAFKA_PORT and a free one) and formats the storage; later starts reuse both, so data and address are kept.
# Prints host:port when the broker answers, also when it was running already. stop.sh stops it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); python=${PYTHON:-python3}
mkdir -p "${1:?folder}"; dir=$(cd "$1" && pwd); conf="$dir/server.properties"; cp="${KAFKA_LIBS:?folder of jars}/*"
if [ ! -f "$conf" ]; then
  read -r port cport < <("$python" "$here/ready.py" ports)
  port=${KAFKA_PORT:-$port}
  sed -e "s#@PORT@#$port#g; s#@CPORT@#$cport#g; s#@DATA@#$dir/data#g" "$here/server.properties.template" > "$conf.tmp"
  java -cp "$cp" kafka.tools.StorageTool format -t "$(java -cp "$cp" kafka.tools.StorageTool random-uuid)" -c "$conf.tmp" >/dev/null
  mv "$conf.tmp" "$conf"
fi
port=$(sed -n 's#^listeners=PLAINTEXT://127.0.0.1:\([0-9]*\),.*#\1#p' "$conf")
if ! "$here/running.sh" "$dir"; then
  # No log4j2 file: log4j prints ERROR and worse only. SerialGC and C1 halve the start time and the memory of a small broker.
  $(command -v setsid || echo nohup) java ${KAFKA_JVM:--Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
    -cp "$cp" kafka.Kafka "$conf" >>"$dir/kafka.log" 2>&1 </dev/null &
  echo $! > "$dir/pid"
fi
"$python" "$here/ready.py" wait "$port" "$(cat "$dir/pid")"
