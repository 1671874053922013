#!/bin/sh
# A Dask scheduler and two workers on loopback, a campaign on them, and all of them stopped at the end.
# Arguments: those of sscard campaign. PORT chooses the port of the scheduler, WORKERS the number of workers.
set -eu
port="${PORT:-8786}"
address="tcp://127.0.0.1:$port"
scheduler="" workers=""
trap 'for each in $workers $scheduler; do kill "$each" 2>/dev/null || :; done; wait' EXIT
trap 'exit 130' INT TERM

dask scheduler --host 127.0.0.1 --port "$port" --no-dashboard --dashboard-address 127.0.0.1:0 >scheduler.log 2>&1 &
scheduler=$!
dask worker "$address" --host 127.0.0.1 --nworkers "${WORKERS:-2}" --nthreads 1 --no-dashboard --dashboard-address 127.0.0.1:0 --death-timeout 60 \
    >workers.log 2>&1 &
workers=$!
# The scheduler needs some seconds; the campaign waits 5 seconds for an answer.
tries=0
until dask_answers="$(python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>&1)"; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || { echo "no scheduler: $dask_answers" >&2; exit 3; }
    sleep 0.5
done
sscard campaign --engine "dask:$address" "$@"
