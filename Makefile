# costline: `make` lists what can be done here.
PYTHON ?= python3
SHARED ?= ../shared
VENV := .venv
BIN := $(VENV)/bin
REQUIRES := pyproject.toml requirements.lock
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
UV := $(shell command -v uv 2>/dev/null)
# $(call install,REQUIREMENT): pinned by the lock; uv where it is present and can reach the packages, else pip.
install = $(if $(UV),$(UV) pip install -qq --python $(BIN)/python -c requirements.lock -e '$(1)' ||) \
	$(PIP) -c requirements.lock -e '$(1)'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: setup plan test lint bench docs web calibrate help clean

setup: $(VENV)/.stamp ## Make .venv with everything that working on costline needs
plan: $(VENV)/.stamp-core ## Find the cheapest deployment of examples/chat-70b.yml
	@$(BIN)/costline plan examples/chat-70b.yml

test: lint build/.browser ## Run every check: lint, then all tests and doctests
	@$(BIN)/pytest --quiet -n 2 --dist worksteal

lint: $(VENV)/.stamp ## Check style, types and the arrows between layers
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright --warnings
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.stamp ## Measure speed against its budgets
	@$(BIN)/pytest --quiet --capture=no benchmarks --benchmark-enable -p no:xdist -rfE

docs: $(VENV)/.stamp ## Write the pages that follow from the code, and the README's example, anew
	@$(BIN)/python tools/generate_docs.py
	@$(BIN)/python tools/generate_reproductions.py

web: $(VENV)/.stamp ## Serve the web application on this machine
	@$(BIN)/costline web

calibrate: $(VENV)/.stamp ## Fit the coefficients of catalog/data/calibration from measured files in SHARED
	@$(BIN)/python tools/calibrate_kernels.py $(SHARED)
	@$(BIN)/python tools/calibrate_steps.py $(SHARED)
	@$(BIN)/python tools/calibrate.py $(SHARED)
	@$(BIN)/python tools/calibrate_serving.py $(SHARED)

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build/.browser: tools/browser.sh
	@bash tools/browser.sh
	@touch $@

clean: ## Remove caches and build results (the environment stays; remove .venv to make it anew)
	@rm -rf build dist .pytest_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "costline needs Python 3.11 or later; $(PYTHON) is not found; run make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "costline needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1); run make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; install its venv module (Debian: python3-venv)" >&2; exit 1; }

$(VENV)/.stamp-core: $(REQUIRES) | $(BIN)/python
	@$(call install,.)
	@touch $@

$(VENV)/.stamp: $(REQUIRES) | $(BIN)/python
	@$(call install,.[dev])
	@touch $(VENV)/.stamp-core $@
