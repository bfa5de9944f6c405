#!/usr/bin/env bash
# Installs Sail, pinned, into target/sail and starts its Arrow Flight SQL server on 127.0.0.1 with four workers, each on
# threads of this one process. `sail.sh --install` only installs, and prints the path of the program.
# Settings: https://docs.lakesail.com/sail/latest/reference/configuration
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/sail
pinned=$(sed -n 's/^pysail==//p' examples/distributed/requirements.txt)
installed() { "$venv/bin/python" -c 'from importlib.metadata import version; print(version("pysail"))' 2>/dev/null; }
if [ "$(installed)" != "$pinned" ]; then
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install -q --disable-pip-version-check --retries 1 --timeout 30 -r examples/distributed/requirements.txt >&2
fi
if [ "${1:-}" = --install ]; then
    echo "$PWD/$venv/bin/sail"
    exit
fi
export SAIL_MODE=${SAIL_MODE:-local-cluster}
export SAIL_CLUSTER__WORKER_INITIAL_COUNT=${SAIL_CLUSTER__WORKER_INITIAL_COUNT:-4}
export RUST_LOG=${RUST_LOG:-error}
exec "$venv/bin/sail" flight server --ip 127.0.0.1 --port "${1:-32010}"
