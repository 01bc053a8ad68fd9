# make demo | test | ui are what a newcomer needs; the rest is for people who change Vantage.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
TESTS ?= tests
PYTHON ?= python3
BENCHES := {scans,geometry,models,evaluation}
RESULTS ?= benchmarks/results

.PHONY: help setup setup-dev demo test test-train test-gpu ui lint format bench bench-gpu fuzz base clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup:
	@infra/setup.sh all

setup-dev:
	@infra/setup.sh dev

demo: setup ## from raw scans to a registered model that answers questions; no GPU, no ScanNet (about 14 minutes)
	@infra/demo.sh

test: setup-dev ## the tests
	pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

test-train: ## training and its models with the `train` extra alone, as on a GPU machine
	VANTAGE_VENV=.venv-train infra/setup.sh train,test
	.venv-train/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" tests/training tests/models/vlm

test-gpu: ## tests/gpu with the torch that is there (PYTHON=...), nothing installed; skips say what was not tested
	PYTHONPATH="$(CURDIR)/src:$${PYTHONPATH-}" $(PYTHON) -m pytest -o addopts="-ra -p no:cacheprovider" tests/gpu

ui: setup ## Dagster and MLflow on loopback, over this workspace
	@python infra/ui.py

lint: setup-dev ## ruff, mypy, import-linter
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format: setup-dev ## let ruff rewrite what it can
	ruff check --fix .
	ruff format .

bench: setup-dev ## each hot path beside the straightforward or published way (ONLY=scans, ...; VANTAGE_BENCH=small: seconds)
	@for file in benchmarks/$(or $(ONLY),$(BENCHES))/*.py; do echo "== $$file"; python "$$file"; done

bench-gpu: ## benchmarks/gpu on the GPU that is there, tables into RESULTS=benchmarks/results; nothing is installed
	@failed=0; for file in benchmarks/gpu/*.py; do echo "== $$file"; \
	  PYTHONPATH="$(CURDIR)/src:$${PYTHONPATH-}" $(PYTHON) "$$file" --results "$(RESULTS)" || failed=1; \
	  done; exit $$failed

fuzz: setup-dev ## readers: raw formats a minute each (SECONDS=300 for more), users' files 20 times as many examples
	@python -m pip install -q --disable-pip-version-check "atheris>=2.3"
	@python tests/scans/fuzz/drive.py --seconds $(or $(SECONDS),60)
	@VANTAGE_FUZZ=20 pytest -n 2 $$(find tests -name "test_fuzz_*.py" -not -path "tests/scans/*")

base: setup ## train the shipped base of the pocket model again (about 25 minutes on two cores)
	python -m vantage.models.base

clean: ## remove everything that the pipeline made; the environment stays
	rm -rf data models reports .vantage .dagster .dvc/cache .dvc/tmp mlruns/mlflow.db mlruns/artifacts dvc.lock
