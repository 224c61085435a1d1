#!/usr/bin/env bash
# Snakemake runs this once, inside the new conda environment and in the workflow's folder.
set -euo pipefail
bash envs/install.sh python gpu
