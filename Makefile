# make demo   everything a newcomer needs: venv, install, the built-in scenarios in-process
# make test   everything CI needs: system packages if allowed, lint, types, layers, all tests

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# What mypyc compiles, unchanged.
COMPILED := build/compiled
CHIP     := $(patsubst simulator/%,%,$(wildcard $(addsuffix /*.py,$(addprefix simulator/sscard/, \
	standard chip card card/commands psam))))
CHIP_TESTS := $(addprefix tests/,standard chip card psam model terminal driver \
	issuer/test_image.py issuer/test_personalities.py)

.PHONY: demo test check lint types layers tests catalogs campaign compiled bench bench-compare bench-compiled system venv clean

demo: $(VENV)/installed
	$(BIN)/sscard run

test: system $(VENV)/developer check tests compiled

check: lint types layers

lint: $(VENV)/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/developer
	$(BIN)/mypy

layers: $(VENV)/developer
	$(BIN)/lint-imports

tests: $(VENV)/developer
	$(BIN)/pytest -n 2

# Messages: new ones from the sources into the Chinese catalog, and the catalog compiled.
catalogs: $(VENV)/developer
	LANGUAGE=en $(BIN)/python tools/catalogs.py

campaign: $(VENV)/developer
	$(BIN)/pytest -m campaign

# The chip's tests and the built-in suite on the compiled chip, which plain sscard above it uses.
compiled: $(COMPILED)/chip
	cp -R simulator/sscard $(COMPILED)
	PYTHONPATH=$(COMPILED) SSCARD_COMPILED=1 $(BIN)/pytest -n 2 --ignore tests/driver/test_driver_pcsc.py $(CHIP_TESTS)
	PYTHONPATH=$(COMPILED) $(BIN)/sscard run scenarios

bench: $(VENV)/developer
	$(BIN)/pytest bench --benchmark-enable

# This checkout against an earlier revision, interleaved: make bench-compare BEFORE=main~20
bench-compare: $(VENV)/developer
	$(BIN)/python bench/compare.py $(BEFORE)

bench-compiled: $(COMPILED)/chip
	cp -R simulator/sscard $(COMPILED)
	PYTHONPATH=$(COMPILED) $(BIN)/pytest bench/bench_chip.py --benchmark-enable

$(COMPILED)/chip: $(addprefix simulator/,$(CHIP)) Makefile | $(VENV)/developer
	rm -rf $(COMPILED)
	mkdir -p $(COMPILED)
	cp -R simulator/sscard $(COMPILED)
	cd $(COMPILED) && $(abspath $(BIN))/mypyc $(CHIP) > compiler.log 2>&1 || { cat compiler.log; exit 1; }
	touch $@

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
	$(BIN)/python -m pip install --quiet --editable ".[pcsc,pkcs11,postgresql]" --group dev
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks
