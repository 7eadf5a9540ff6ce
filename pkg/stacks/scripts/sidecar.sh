# shellcheck shell=sh disable=SC2154
# Keeps the process of a sidecar alive: run is its function, name its name.
# ECS does not restart a container that ends before its restart policy's
# period, and queue:work ends each hour on purpose. ECS stops a container with the
# signal that its image names, and the image of PHP-FPM names QUIT.
child=
stop() {
  trap '' TERM INT QUIT
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null || :
    wait "$child" || :
  fi
  exit 0
}
trap stop TERM INT QUIT
delay=1
while :; do
  began=$(date +%s)
  run &
  child=$!
  status=0
  wait "$child" || status=$?
  child=
  ran=$(($(date +%s) - began))
  if [ "$status" -ne 0 ]; then
    echo "sidecar failed: $name ended with status $status after $ran s" >&2
  fi
  if [ "$ran" -ge 60 ]; then delay=1; fi
  sleep "$delay" &
  child=$!
  wait "$child" || :
  child=
  delay=$((delay * 2))
  if [ "$delay" -gt 30 ]; then delay=30; fi
done
