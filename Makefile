# Everything a newcomer needs runs from here; `make help` lists it. Needs Python 3.11+ and make, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The newest interpreter that is at least 3.11; `make setup PYTHON=/path/to/python` overrules the search.
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3 python; do \
	if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then command -v $$candidate; break; fi; done)
DURATION ?= 0
SPANS ?= 20000000

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv with everything that is needed (quick when nothing changed)

$(STAMP): pyproject.toml requirements/constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found; install one, or: make setup PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements/constraints.txt --editable '.[server,dev]'
	@touch $@

.PHONY: lock
lock: setup ## Take newer dependencies: resolve again without the constraints and write them down
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[server,dev]'
	{ echo "# The versions that are tested together. Written by: make lock"; $(BIN)/python -m pip freeze --exclude-editable; } > requirements/constraints.txt

.PHONY: demo
demo: setup ## Start the platform and three instrumented services, send traffic (DURATION=20 stops by itself)
	$(BIN)/python -m demo --duration $(DURATION)

.PHONY: test
test: setup lint ## Everything a change has to pass: lint, types, tests, coverage
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered

.PHONY: lint
lint: setup ## All the gates: style, types, imports, bounds, docs, secrets, vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.gates
	$(BIN)/python -m pytest -q tests/architecture
	$(BIN)/python -m tools.secret_scan
	$(BIN)/python -m tools.dependency_audit

.PHONY: format
format: setup ## Mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: prove
prove: setup ## The long campaigns (kill -9, fuzzing); hours
	$(BIN)/python -m pytest -m prove --timeout=0

.PHONY: bench
bench: setup ## The benchmarks: a table and JSON with ratios
	$(BIN)/python -m benchmarks

.PHONY: bench-traces
bench-traces: setup ## What questions about traces cost on 20 M spans (SPANS=1000000 for a quick look)
	$(BIN)/python -m benchmarks.traces --spans $(SPANS)

.PHONY: docs
docs: setup ## Write the generated pages again
	$(BIN)/python -m tools.generated_docs
