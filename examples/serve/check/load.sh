#!/usr/bin/env bash
# Loads the service with real clients and holds its books against theirs. Needs wrk, curl, python3, and for the last part
# the Python package `openai` (`OPENAI_PYTHON=python` of an environment that has it) and prometheus.
#
#     cargo run --example operate
#     cargo build --release -p modelops-serve --examples
#     bash examples/serve/check/load.sh [saturation|cost|hostile|changes|openai|prometheus|page|soak]…
#
# Every part starts the service, loads it, stops it, and fails where a request was lost or counted twice.
set -euo pipefail
cd "$(dirname "$0")/../../.."
here=examples/serve/check
serve=${SERVE:-target/release/examples/serve}
out=$(mktemp -d)
port=${PORT:-18080}
url=http://127.0.0.1:$port
seconds=${SECONDS_EACH:-6}
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$out"' EXIT

begin() {
    rm -rf "$out/run"
    "$serve" --address "127.0.0.1:$port" --out "$out/run" --quota 100000000000 "$@" >"$out/serve.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        if curl -sf "$url/readyz" >/dev/null; then . "$out/run/callers.env" && return; fi
        sleep 0.1
    done
    cat "$out/serve.log"
    exit 1
}

# Stops the service and holds its last line, its metrics and its log against each other.
end() {
    kill -TERM "$pid"
    wait "$pid"
    pid=
    tail -1 "$out/serve.log"
    if [ -e "$out/run/metrics.prom" ]; then python3 "$here/books.py" "$out/run" "$out/serve.log" "$@"; fi
}

# wrk PATH KEY BODY CONNECTIONS → requests a second, p99, and how many answers wrk had.
load() {
    local path=$1 key=$2 body=$3 connections=$4
    cat >"$out/load.lua" <<LUA
wrk.method = "POST"
wrk.headers["authorization"] = "Bearer $key"
wrk.body = [[$body]]
done = function(summary, latency)
    io.write(string.format("answers %d, errors %d, %.0f a second, p50 %.3f ms, p99 %.3f ms\n",
        summary.requests, summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout,
        1e6 * summary.requests / summary.duration, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
LUA
    wrk -t1 -c"$connections" -d"${seconds}s" -s "$out/load.lua" --timeout 20s "$url$path" | grep ^answers
}

row='{"rows":[{"Island":"Biscoe","Culmen Length (mm)":50.0,"Culmen Depth (mm)":15.0,"Flipper Length (mm)":220}]}'
text='{"model":"babble","stream":true,"max_tokens":64,"seed":3,"messages":[{"role":"user","content":"Every row"}]}'

# Processor seconds of the service so far.
cpu() { awk -v tick="$(getconf CLK_TCK)" '{print ($14 + $15) / tick}' "/proc/$pid/stat"; }

saturation() {
    echo "== saturation: 64 connections, predictions, then streams"
    begin --pace 0
    load /v1/predict "$ANALYST_KEY" "$row" 64 | tee "$out/a"
    load /v1/chat/completions "$ANALYST_KEY" "$text" 32 | tee "$out/b"
    end --answers "$(cat "$out/a" "$out/b")"
}

cost() {
    echo "== cost: the same service with and without guard and metrics, interleaved"
    for round in $(seq "${ROUNDS:-3}"); do
        for without in ${VARIANTS:-none metrics guard both}; do
            case $without in
                none) options=() ;;
                both) options=(--without guard --without metrics) ;;
                *) options=(--without "$without") ;;
            esac
            begin --pace 0 "${options[@]}"
            for what in predict chat; do
                before=$(cpu)
                if [ $what = predict ]; then load /v1/predict "$ANALYST_KEY" "$row" 16 >"$out/a"
                else load /v1/chat/completions "$ANALYST_KEY" "$text" 16 >"$out/a"; fi
                after=$(cpu)
                awk -v b="$before" -v a="$after" -v r="$round" -v w="$without" -v x="$what" \
                    '{gsub(",", ""); printf "round %s without %-8s %-8s %8d a second, p99 %8s ms, %6.2f µs CPU a request\n", r, w, x, $5, $(NF-1), 1e6 * (a - b) / $2}' "$out/a"
            done
            end >/dev/null
        done
    done
}

hostile() {
    echo "== hostile: 1,000 idle connections, slow, killed and garbled clients, while others are served"
    begin
    python3 "$here/hostile.py" "$port" "$ANALYST_KEY" "$REVOKED_KEY" "$pid"
    end
}

openai() {
    echo "== the openai package against the streaming endpoint"
    begin
    "${OPENAI_PYTHON:-python3}" "$here/openai_client.py" "$url" "$out/run/callers.env"
    end
}

prometheus() {
    echo "== Prometheus scrapes and fires an alert"
    begin --pace 100 --queue 1
    python3 "$here/prometheus.py" "$url" "$ANALYST_KEY" "$out/run/rules" "$out/prometheus"
    end
}

# What an operator does under load: new keys, a model pruned anew, the end. No caller notices but by the name of the model, and
# the end counts what was begun. Needs the example `republish` beside `serve`.
changes() {
    echo "== keys rotated, the model pruned anew, and the service stopped, under load"
    local republish
    republish=$(realpath "${REPUBLISH:-$(dirname "$serve")/republish}")
    rm -rf "$out/copy"
    mkdir -p "$out/copy/target"
    cp -r target/operate "$out/copy/target/"
    begin --pace 0 --model "$out/copy/target/operate/5-protect"
    load /v1/predict "$ANALYST_KEY" "$row" 16 >"$out/a" &
    local caller=$!
    for sparsity in "" 0.3 0.6; do
        sleep 1
        (cd "$out/copy" && "$republish" $sparsity)
        curl -sf -X POST -H "authorization: Bearer $OPERATOR_KEY" "$url/admin/reload"
        echo
    done
    wait "$caller"
    cat "$out/a"
    grep -q "errors 0," "$out/a"
    curl -sf "$url/metrics" | grep -E '^serve_(model_served|model_reloads_total)'
    load /v1/chat/completions "$ANALYST_KEY" "$text" 16 >"$out/b" &
    caller=$!
    sleep 2
    # wrk goes on trying to connect after the end: only the books count.
    end
    wait "$caller" || true
}

# The operator's page in headless Chromium, after some of everything; pictures in PICTURES. Needs node and playwright-core,
# which npm installs, or NODE_MODULES with it, and CHROMIUM where that is not /usr/bin/chromium.
page() {
    echo "== the operator's page in a browser"
    local work=$out/page
    mkdir -p "$work"
    cp "$here/page.mjs" "$here/package.json" "$work"
    if [ -n "${NODE_MODULES:-}" ]; then ln -s "$NODE_MODULES" "$work/node_modules"; else npm install --silent --prefix "$work"; fi
    begin
    python3 "$here/soak.py" "$url" "$pid" 5 "$ANALYST_KEY" "$GUEST_KEY" "$REVOKED_KEY"
    node "$work/page.mjs" "$url/" "${PICTURES:-target/serve-pictures}"
    end
}

# Memory over SOAK seconds, in slices.
soak() {
    echo "== soak: ${SOAK:-600} s of predictions, streams, refusals and callers who go away"
    begin --pace 0.2
    python3 "$here/soak.py" "$url" "$pid" "${SOAK:-600}" "$ANALYST_KEY" "$GUEST_KEY" "$REVOKED_KEY"
    end
}

for part in "${@:-saturation}"; do "$part"; done
