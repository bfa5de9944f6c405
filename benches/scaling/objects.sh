#!/usr/bin/env bash
# A model in an object store under the key of a key service: one tensor of it is read without the rest. S3 and KMS are
# moto's simulation of them, asked by AWS's own client for Python. Needs cargo and python3.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=target/aws
if ! "$venv/bin/python" -c 'import boto3, moto.server' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r benches/scaling/requirements-aws.txt
fi
cargo build -q -p modelops-benches --features objects --bin objects
"${CARGO_TARGET_DIR:-target}/debug/objects" "$venv/bin/python"
