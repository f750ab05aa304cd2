#!/usr/bin/env bash
# Installs the oldest versions that setup.py allows under the oldest Python, and runs all samples with them, to the
# report, or with PARTS=corpus,report,train GOAL=demo to a trained model.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${UV:-uv} venv --quiet --python "${PYTHON:-3.10}" "$work/venv"
${UV:-uv} pip install --quiet --python "$work/venv/bin/python" --resolution lowest-direct ".[${PARTS:-corpus,report}]"
${UV:-uv} pip uninstall --quiet --python "$work/venv/bin/python" llama-corpus  # what runs is this folder
if ! make --no-print-directory "${GOAL:-report}" BIN="$work/venv/bin" SETUP= TRAINER= WORK="$work/work" > "$work/log" 2>&1; then
  cat "$work/log"; echo "the oldest versions: FAILED"; exit 1
fi
echo "the oldest versions ($(${UV:-uv} pip list --quiet --python "$work/venv/bin/python" --format freeze | grep -E '^(apache-beam|numpy|pyarrow|sentencepiece|torch)=' | paste -sd' ')): $(grep 'all accounts add up' "$work/work/_build/logs/verify.log" | tail -1 | sed "s|$work/||")"
