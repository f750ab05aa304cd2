#!/bin/sh
# What an engine runs to start a Beam worker: --environment_type PROCESS, or --container_executable of a worker pool.
exec "${LLAMA_CORPUS_PYTHON:-python3}" "$(dirname "$0")/boot.py" "$@"
