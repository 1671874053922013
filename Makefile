# make demo      everything a newcomer needs: venv, install, the built-in scenarios in-process
# make test      what CI runs for each change: system packages if allowed, lint, types, layers, all tests,
#                a sample of them on the compiled chip (8 minutes)
# make quick     the tests that take less than 3 seconds each, for a developer
# make nightly   what else can break: the compiled chip, the suite through PC/SC, the Node example, other
#                compilers, the lowest versions of the dependencies (45 minutes)
# make bench     the benchmarks of sscard itself, stored, compared and drawn; use an idle machine
# make campaign  the long proofs: sscard prove in full, hundreds of kills and thousands of cases

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# The tests start hundreds of programs, which compile their sources again each time if Python may not keep the result.
export PYTHONDONTWRITEBYTECODE :=

# What mypyc compiles, unchanged: the packages that pyproject.toml names.
COMPILED := build/compiled
PACKAGES := $(shell sed -n 's/^compiled = \[\(.*\)\]$$/\1/p' pyproject.toml | tr -d '",')
CHIP     := $(patsubst simulator/%,%,$(wildcard $(addsuffix /*.py,$(addprefix simulator/sscard/,$(PACKAGES)))))
CHIP_TESTS := $(addprefix tests/,standard chip card psam model proof terminal driver scenario conversation \
	issuer/test_image.py issuer/test_personalities.py)

# Compilers that the C library of the driver is tested with, each if it is installed.
COMPILERS := gcc clang tcc
NATIVE_TESTS := tests/driver/test_native.py tests/driver/test_native_protocol.py tests/driver/test_native_card.py

# A second environment, with each dependency at the lower bound of pyproject.toml.
LOWEST := build/lowest

.PHONY: demo test quick check lint types layers shape plain tests collected defects catalogs nightly nightly-compiled \
	nightly-pcsc nightly-examples compilers lowest lowest-installed campaign compiled sample compiled-sample bench \
	bench-compare bench-compiled system venv clean

demo: $(VENV)/installed
	$(BIN)/sscard run

test: system $(VENV)/developer
	$(MAKE) -j 2 --output-sync=target check sample collected
	$(MAKE) tests
	$(MAKE) compiled-sample

check: lint types layers shape plain

lint: $(VENV)/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/developer
	$(BIN)/mypy

layers: $(VENV)/developer
	$(BIN)/lint-imports

# Helpers called once, module length, repeated lines.
shape: $(VENV)/developer
	$(BIN)/python tools/shape.py

# The English of documents, help, messages and docstrings.
plain: $(VENV)/developer
	$(BIN)/python tools/plain.py

tests: $(VENV)/developer
	$(BIN)/pytest -n 4

# pytest rewrites the assertions of each test module and keeps the result. Without it, each worker of `tests` would do
# that with all of them, which takes twice as long as the rest of the collection.
collected: $(VENV)/developer
	$(BIN)/pytest --collect-only -q -q > /dev/null

quick: $(VENV)/developer
	$(BIN)/pytest -n 4 -m "not slow and not campaign and not nightly"

# Which scenarios of the built-in suite notice which of the planted defects (2 minutes).
defects: $(VENV)/developer
	$(BIN)/sscard defects run -n 2

# Messages: new ones from the sources into the Chinese catalog, and the catalog compiled.
catalogs: $(VENV)/developer
	LANGUAGE=en $(BIN)/python tools/catalogs.py

nightly: system $(VENV)/developer
	$(MAKE) -j 2 --output-sync=target $(COMPILED)/chip nightly-examples
	$(MAKE) nightly-compiled
	$(MAKE) -j 2 --output-sync=target nightly-pcsc lowest-installed
	$(BIN)/python -m pip install --quiet --group notebook
	$(BIN)/pytest -n 4 -m nightly
	$(MAKE) compilers
	$(MAKE) lowest

# The target compiled with the whole test suite; the tests find the scenarios in the package, as in a wheel.
nightly-compiled: $(COMPILED)/chip
	cp -R scenarios $(COMPILED)/sscard
	$(MAKE) compiled COMPILED=$(abspath $(COMPILED)) CHIP_TESTS=tests

# Through PC/SC the suite has the verdicts and traces that it has in process.
nightly-pcsc: $(VENV)/developer
	mkdir -p build
	$(BIN)/sscard run --transport pcsc --trace build/pcsc.trace
	$(BIN)/sscard run --trace build/in-process.trace > build/in-process.txt
	cmp build/pcsc.trace build/in-process.trace

# The package of the Node example is compiled here, not in make test: npm alone brings 400 packages.
nightly-examples: $(VENV)/developer
	if command -v npm > /dev/null; then cd examples/node && npm install --no-audit --no-fund --no-package-lock; \
		else echo "npm is not installed: the Node example is skipped"; fi
	$(BIN)/pytest tests/examples

# mingw-w64 is among the tests themselves.
compilers: $(VENV)/developer
	for compiler in $(COMPILERS); do \
		if command -v $$compiler > /dev/null; then CC=$$compiler $(BIN)/pytest -n 4 $(NATIVE_TESTS) || exit 1; \
		else echo "$$compiler is not installed: skipped"; fi; \
	done

lowest: lowest-installed
	PIP_CONSTRAINT=$(abspath $(LOWEST)).txt $(MAKE) VENV=$(LOWEST) quick

lowest-installed: $(VENV)/developer
	mkdir -p build
	$(BIN)/python tools/lowest.py > $(LOWEST).txt
	PIP_CONSTRAINT=$(abspath $(LOWEST)).txt $(MAKE) VENV=$(LOWEST) $(LOWEST)/developer

campaign: $(VENV)/developer
	$(BIN)/sscard prove tears
	$(BIN)/sscard prove model
	$(BIN)/sscard prove fuzz --seconds 300
	$(BIN)/pytest -n 4 -m campaign

# Without optimisation: this asks whether the compiled chip works, and the compiler is a third of the time.
# It uses one core for a minute, so make test starts it beside the checks.
sample: $(VENV)/developer
	MYPYC_OPT_LEVEL=0 $(MAKE) COMPILED=build/sample build/sample/chip

compiled-sample: sample
	$(MAKE) compiled COMPILED=build/sample CHIP_TESTS="tests/chip tests/card" SUITE=scenarios/01-function

# Tests and suite on the compiled chip, which plain sscard above it uses: all of them at night, a sample in make test.
compiled: $(COMPILED)/chip
	cp -R simulator/sscard $(COMPILED)
	cp -R scenarios $(COMPILED)/sscard
	PYTHONPATH=$(COMPILED) SSCARD_COMPILED=1 $(BIN)/pytest -n 4 --ignore tests/driver/test_driver_pcsc.py $(CHIP_TESTS)
	PYTHONPATH=$(COMPILED) $(BIN)/sscard run $(SUITE) -n 2 --seed 20260105

# Measures suites and pipelines, or one of them (make bench WHAT=pipelines), stores the run in bench/runs, compares it
# with the run before, and updates the plots and the generated tables of bench/RESULTS.md (half an hour).
bench: $(VENV)/developer
	$(BIN)/python bench/record.py $(WHAT)

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
	$(BIN)/python -m pip install --quiet --editable ".[bench,dask,parquet,pcsc,pkcs11,postgresql,proof,server]" --group dev
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks
