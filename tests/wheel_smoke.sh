#!/bin/sh
# Builds a wheel and tries it where there is no Rust: wheel_smoke.sh VENV_BIN OUTPUT_FOLDER
set -eu
bin=$1 out=$2
rm -rf "$out"
"$bin/maturin" build --quiet --release --out "$out"
wheel=$(ls "$out"/*.whl)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT INT TERM
"$bin/python" -m venv "$room/venv"
"$room/venv/bin/python" -m pip install --quiet --no-index "$wheel"
smoke=$(cd "$(dirname "$0")" && pwd)/wheel_smoke.py
# An empty PATH and an empty folder: neither a compiler nor the checkout can help.
(cd "$room" && PATH='' "$room/venv/bin/python" -W error "$smoke")
"$room/venv/bin/interlock" --version
ls -l "$wheel" | awk '{print $5 " bytes  " $9}'
