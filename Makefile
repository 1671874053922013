# make demo   everything a newcomer needs: venv, install, the built-in scenarios in-process
# make test   everything CI needs: system packages if allowed, lint, types, floors, all tests

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test check lint types floors tests bench system venv clean

demo: $(VENV)/installed
	$(BIN)/sscard run

test: system $(VENV)/developer check tests

check: lint types floors

lint: $(VENV)/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/developer
	$(BIN)/mypy

floors: $(VENV)/developer
	$(BIN)/lint-imports

tests: $(VENV)/developer
	$(BIN)/pytest -n 2

bench: $(VENV)/developer
	$(BIN)/pytest bench --benchmark-enable

system:
	.ci/system-packages

venv: $(VENV)/developer

# A Debian without python3-venv has no ensurepip: then pip is put in from outside.
$(VENV)/pip:
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --without-pip --clear $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/installed: $(VENV)/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/developer: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[pcsc]" --group dev
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks
