# Every command of this repository. `make` alone lists them.
# PYTHON=python3.12 chooses the interpreter of .venv; ARGS="-k name" goes to pytest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
READY := $(VENV)/.ready
# -P: what a tool imports is what is installed, never what happens to lie in the current folder.
RUN := $(VENV)/bin/python -P -m
UV ?= uv
ARGS ?=
NAME ?=
# How many processes the tests run in: `make test JOBS=0` runs them in this one, to debug.
JOBS ?= auto
CURVE ?=

.PHONY: help setup check format test pictures soak demo bench new-gate lock package clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## make .venv from requirements.lock (again only when the lock or pyproject.toml changes)

$(READY): pyproject.toml requirements.lock tools/setup.sh
	@PYTHON='$(PYTHON)' bash tools/setup.sh
	@touch $@

check: $(READY) ## lint, formatting and types; changes nothing
	@failed=0; \
	echo "check: ruff"; \
	$(RUN) ruff check --quiet --output-format concise . || failed=1; \
	$(RUN) ruff format --check --quiet --output-format concise . || { echo "check: these files need: make format"; failed=1; }; \
	echo "check: pyright"; \
	$(RUN) pyright || failed=1; \
	exit $$failed

format: $(READY) ## rewrite what ruff can put right by itself
	@$(RUN) ruff check --quiet --fix-only .
	@$(RUN) ruff format .

test: $(READY) ## all tests; make test ARGS="-k name" for some
	@$(RUN) pytest -n $(JOBS) --dist loadgroup $(ARGS)

pictures: $(READY) ## take the docs' pictures of Prefect anew, by the browser test (needs Chromium)
	@rm -rf build/screenshots/docs
	@SLUICE_TEST_PICTURES=1 $(RUN) pytest -n 0 -q tests/browser/test_prefect.py
	@mkdir -p docs/pictures && rm -f docs/pictures/*.png
	@cp build/screenshots/docs/*.png docs/pictures/
	@git status --short docs/pictures

soak: $(READY) ## generated histories against plain dbt; make soak ARGS="--seconds 3600 --seed 7"
	@PYTHONPATH=. $(RUN) tests.oracle.soak $(ARGS)

demo: $(READY) ## a whole release, a refusal and a rollback on temporary data
	@$(VENV)/bin/python -P -m prefect_sluice.cli.demo $(ARGS)

bench: $(READY) ## measure, and keep the numbers in benchmarks/results; CURVE="--sizes 100,1000,5000"
	@if [ -f benchmarks/run.py ]; then $(VENV)/bin/python -P benchmarks/run.py $(ARGS) && \
	$(VENV)/bin/python benchmarks/curve.py $(CURVE); \
	else echo "bench: there is no benchmarks/run.py in this checkout" >&2; exit 1; fi

new-gate: $(READY) ## a new gate's module, test and page; make new-gate NAME=owners
	@$(VENV)/bin/python -P tools/new_gate.py '$(NAME)'

lock: ## choose the versions in requirements.lock again (needs uv)
	@command -v '$(UV)' >/dev/null || { echo "lock: needs uv: pip install uv, or make lock UV=/path/to/uv" >&2; exit 1; }
	@$(UV) pip compile pyproject.toml --all-extras --group dev -c constraints.txt --generate-hashes \
	  --no-annotate --no-header --universal --python-version 3.11 --no-emit-index-url -q -o requirements.lock
	@echo "lock: $$(grep -c '^[a-z0-9].*==' requirements.lock) packages"

package: $(READY) ## build the sdist, and from it the wheel, into dist/
	@rm -rf dist
	@$(RUN) build --no-isolation --outdir dist . >/dev/null
	@ls -1 dist

clean: ## delete .venv and everything else that was made here
	@rm -rf $(VENV) build dist *.egg-info .coverage .hypothesis .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
