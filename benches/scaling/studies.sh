#!/usr/bin/env bash
# One study in PostgreSQL (Debian's package `postgresql`), eight worker processes of Optuna, one of them killed; then the
# same study read by our crate. Needs cargo, python3 and root (the server runs as the user `postgres`).
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build -q -p modelops-benches --features scaling --bin scaling
scaling=${CARGO_TARGET_DIR:-target}/debug/scaling
folder=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then runuser -u postgres -- "$server/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT

server=$(find /usr/lib/postgresql -name bin -type d 2>/dev/null | sort | tail -1)
if [ -n "$server" ] && [ "$(id -u)" = 0 ]; then
    venv=target/optuna
    if ! "$venv/bin/python" -c 'import optuna, psycopg2' 2>/dev/null; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check -r benches/scaling/requirements.txt
    fi
    chmod 755 "$folder"
    install -d -o postgres "$folder/data"
    runuser -u postgres -- "$server/initdb" -D "$folder/data" -A trust >/dev/null
    port=$((20000 + $$ % 10000))
    runuser -u postgres -- "$server/pg_ctl" -D "$folder/data" -w -l "$folder/data/log" \
        -o "-c listen_addresses=127.0.0.1 -p $port -k $folder/data" start >/dev/null
    "$venv/bin/python" benches/scaling/postgresql.py "postgresql+psycopg2://postgres@127.0.0.1:$port/postgres" \
        "$folder/copied.jsonl"
    "$scaling" study "$folder/copied.jsonl" shared
else
    server=
    echo "SKIPPED: no PostgreSQL server (apt-get install postgresql), or not root"
fi
