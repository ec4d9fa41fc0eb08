#!/usr/bin/env bash
# Starts one Apache Kafka broker on 127.0.0.1 out of plain jars; needs Java 17 and Maven, no container.
#
#   deploy/kafka-dev/run.sh                 data in ./data/kafka-dev, port 9092, until Ctrl-C
#   PORT=19092 DATA=/tmp/k deploy/kafka-dev/run.sh
#
# Environment: PORT (9092), CONTROLLER (PORT + 1), DATA (data/kafka-dev), LIBS (target/kafka-dev/libs), HEAP (512m).
# With UNTIL_EOF=1 the broker runs until standard input ends, and its data is removed then: the tests use
# that, so that no broker outlives the process that started it, however that one died.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
PORT=${PORT:-9092} CONTROLLER=${CONTROLLER:-$((${PORT:-9092} + 1))}
DATA=${DATA:-$root/data/kafka-dev} LIBS=${LIBS:-$root/target/kafka-dev/libs} HEAP=${HEAP:-512m}

command -v java > /dev/null || { echo "java not found; Kafka 4 needs a Java runtime, 17 or newer" >&2; exit 3; }
if [ ! -e "$LIBS/.complete" ]; then
  command -v mvn > /dev/null || { echo "mvn not found; it fetches Kafka's jars into $LIBS" >&2; exit 3; }
  # Into a folder of its own first: two who start at once must not see half of it.
  mkdir -p "$(dirname "$LIBS")"
  fresh=$(mktemp -d "$LIBS.XXXXXX")
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fresh" >&2
  touch "$fresh/.complete"
  rm -rf "$LIBS"
  mv -T "$fresh" "$LIBS" 2> /dev/null || rm -rf "$fresh"
fi

mkdir -p "$DATA"
sed -e "s/@PORT@/$PORT/g" -e "s/@CONTROLLER@/$CONTROLLER/g" -e "s|@DATA@|$DATA/log|g" \
  "$here/server.properties" > "$DATA/server.properties"
# One client compiler and the serial collector: quick to start, and quiet beside a build.
java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$LIBS/*")
[ -e "$DATA/log/meta.properties" ] ||
  "${java[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$DATA/server.properties" > "$DATA/broker.log" 2>&1 ||
  { cat "$DATA/broker.log" >&2; exit 1; }

if [ -z "${UNTIL_EOF:-}" ]; then
  echo "Kafka on 127.0.0.1:$PORT, data in $DATA" >&2
  exec "${java[@]}" "-Xmx$HEAP" kafka.Kafka "$DATA/server.properties"
fi
"${java[@]}" "-Xmx$HEAP" kafka.Kafka "$DATA/server.properties" >> "$DATA/broker.log" 2>&1 < /dev/null &
broker=$!
echo "$broker" > "$DATA/pid"
trap 'kill -9 "$broker" 2> /dev/null || true; rm -rf "$DATA"' EXIT
cat > /dev/null
