# `make mini` and `make test` each make the environment they need; nothing else is asked of the user.
PYTHON ?= python3
VENV ?= .venv
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN = $(VENV)/bin
# A finished environment: made again when what it is made from changes.
READY = $(VENV)/.ready
SNAKEMAKE = $(BIN)/snakemake --profile profiles/local --cores $(CORES)

export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: mini mini-paper mini-seeds mini-base test lint smoke benchmarks clean-env

# mini: the quick first look. mini-paper: all experiments. mini-seeds: mini's claims over three training seeds.
mini mini-paper mini-seeds: $(READY)
	$(SNAKEMAKE) --config study=$@ -- all
	$(SNAKEMAKE) --config study=$@ -- report
	$(BIN)/rlv claims --study $@

# Pretrains the mini base again, puts it in its place, and says whether the bits are the same.
mini-base: $(READY)
	$(SNAKEMAKE) --config study=mini-base -- all
	$(BIN)/rlv ship-base

test: $(READY)
	$(BIN)/pytest -q

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/basedpyright rlv benchmarks
	$(BIN)/snakemake --lint

# The whole workflow in two minutes, with a few of everything.
smoke: $(READY)
	$(SNAKEMAKE) --config study=smoke -- all
	$(SNAKEMAKE) --config study=smoke -- report
	$(BIN)/rlv claims --study smoke

benchmarks: $(READY)
	for name in plan voting grading sampling budgets scoring training_step vineppo; do $(BIN)/python -m benchmarks.$$name; done

$(READY): pyproject.toml envs/cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --constraint envs/cpu.txt --editable ".[test]"
	touch $@
