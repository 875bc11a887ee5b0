# Two commands do everything on a machine with Python 3.11 and make: `make quickstart` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart run test check format bench screenshots clean

$(VENV)/.%: pyproject.toml
	@echo "Installing into $(VENV); this takes a minute or two the first time." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

quickstart: $(VENV)/.local
	@$(BIN)/python -m tenantai quickstart

run: $(VENV)/.local
	@$(BIN)/python -m tenantai serve

test: $(VENV)/.local,test
	@$(BIN)/python -m pytest

check: $(VENV)/.local,test,dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.local,test,dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.local,test
	@$(BIN)/python -m benchmarks

screenshots: $(VENV)/.local
	@$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV) build dist *.egg-info
