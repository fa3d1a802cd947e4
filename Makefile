# What a person types here. Each target installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.erleah-installed

# Python and pytest keep what they compiled, also where the environment forbids it: compiling the tests anew, in each
# process, is a third of the time of the fast ones.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-fast test-nightly bench bench-search chaos eval lint up down system-packages

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP)  ## a .venv with everything

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV), which takes a minute or two …" >&2
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable ".[demo,fastembed]" --group dev
	@touch $@

demo: setup  ## everything on this machine, with the sample conference
	@$(BIN)/erleah demo $(ARGS)

test: setup system-packages  ## all tests; what they need is installed and started
	$(BIN)/python -m pytest -m "not e2e" -n 2 --dist worksteal || scripts/try-again $(BIN)/python "not e2e"
	$(BIN)/python -m pytest -m "e2e" || scripts/try-again $(BIN)/python "e2e"

test-fast: setup  ## tests without servers, under a minute
	$(BIN)/python -m pytest --ignore tests/e2e -m "not e2e and not thorough" -n 2 --dist worksteal

test-nightly: setup  ## the promises under random faults: 10,000 cases instead of 500, an hour or so
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/worker/test_properties.py -n 2

bench: setup system-packages  ## prints a table and writes bench/results/latest.json; the soak: ARGS="--only soak"
	$(BIN)/python -m bench $(ARGS)

bench-search: setup  ## an index of large conferences: build and search times
	$(BIN)/python -m bench.search $(ARGS)

eval: setup  ## how well the search finds, on judged questions: a table, and bench/results/eval.json
	$(BIN)/python -m evals $(ARGS)

chaos: setup system-packages  ## every fault on real processes; writes bench/results/chaos.json; shorter: ARGS=--quick
	$(BIN)/python -m chaos $(ARGS)

lint: setup  ## what CI checks before the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# redis-server, Chromium and a C++ compiler come from the system's packages; only Debian's and Ubuntu's
# are installed from here, and only where they are missing.
system-packages:
	@./scripts/install-system-packages

up:  ## the containers of compose.yaml
	docker compose up --build --detach --wait

down:  ## and away again
	docker compose down
