#!/usr/bin/env bash
# Makes a folder of wheels for a machine with a GPU and no network: what training, scoring and benchmarks.gpu need
# besides PyTorch, transformers, accelerate, safetensors, jaxtyping, seaborn, pyarrow and pandas, which it has, and
# the small packages that usually come with those (einops, msgpack, psutil, xxhash).
#
#   envs/offline.sh DIR                          # for Python 3.12 on Linux, x86-64
#   envs/offline.sh DIR 3.11 einops msgpack      # for another Python, and with more of envs/cpu.txt
#
# There, in a checkout, either of
#   pip install --no-index --no-deps DIR/*.whl
#   pip install --no-index --no-deps --target SITE DIR/*.whl; export PYTHONPATH=SITE:.
#
# Versions are those of cpu.txt. DIR must be empty or absent: two versions of a package would stop the installation.
set -euo pipefail
if [ $# -lt 1 ]; then
    echo "usage: $0 DIR [PYTHON VERSION, such as 3.12 [PACKAGE ...]]" >&2
    exit 2
fi
folder=$1
version=${2:-3.12}
if ! [[ $version =~ ^3\.[0-9]+$ ]]; then
    echo "$0: '$version' is no Python version; expected two numbers, such as 3.12" >&2
    exit 2
fi
if [ -n "$(ls -A "$folder" 2> /dev/null)" ]; then
    echo "$0: $folder is not empty; remove it, or name another folder" >&2
    exit 2
fi
lock=$(cd "$(dirname "$0")" && pwd)/cpu.txt
python=${PYTHON:-python3}

# DeepSpeed, and what it needs; tables; grading; data sets; the peer of benchmarks.gpu.
packages=(deepspeed hjson pydantic pydantic_core annotated-types typing-inspection)
packages+=(polars polars-runtime-32)
packages+=(math-verify latex2sympy2_extended antlr4-python3-runtime)
packages+=(datasets dill multiprocess)
packages+=(trl)
packages+=("${@:3}")

locked=()
for package in "${packages[@]}"; do
    if ! [[ $package =~ ^[A-Za-z0-9_-]+$ ]] || ! line=$(grep -ix -e "$package==.*" "$lock"); then
        echo "$0: envs/cpu.txt has no package '$package'" >&2
        exit 2
    fi
    locked+=("$line")
done

mkdir -p "$folder"
# It is published as source. Its operations are compiled when they are used, so the wheel is for any machine.
source=()
for i in "${!locked[@]}"; do
    if [[ ${locked[i]} == deepspeed==* ]]; then
        source+=("${locked[i]}")
        unset "locked[i]"
    fi
done
DS_BUILD_OPS=0 "$python" -m pip wheel --quiet --no-deps --wheel-dir "$folder" "${source[@]}"

platforms=()
for glibc in 28 27 24 17; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
"$python" -m pip download --quiet --no-deps --only-binary :all: --implementation cp --python-version "$version" \
    "${platforms[@]}" --platform manylinux2014_x86_64 --dest "$folder" "${locked[@]}"

compiled=$(find "$folder" -name 'deepspeed-*.whl' ! -name '*-none-any.whl')
if [ -n "$compiled" ]; then
    echo "$0: $compiled is for this machine only; expected a wheel for any (…-none-any.whl)" >&2
    exit 1
fi
find "$folder" -name '*.whl' -printf '%s %f\n' | sort -n |
    awk '{ sum += $1; printf "%8.2f MiB  %s\n", $1 / 2^20, $2 } END { printf "%8.2f MiB in %d wheels\n", sum / 2^20, NR }'
