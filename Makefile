# `make run` and `make test` need Python >= 3.11, pip and make, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
SUITE ?= suites/attention_schemes.yaml
INSTALL := $(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable

.PHONY: run test lint cluster clean

run: .venv/installed
	$(BIN)/python -m harness run $(SUITE)

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A SLURM cluster of two nodes on this machine to try `--launcher slurm` on; needs root and Debian's packages, which it names.
cluster: .venv/installed
	@$(BIN)/python -m tests.cluster

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {v}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	@echo "Installing the pinned packages (about two minutes and 6 GB) ..."
	$(INSTALL) .
	@touch $@

.venv/installed-dev: .venv/installed
	$(INSTALL) '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
