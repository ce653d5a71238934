# Everything a person or CI calls. Needs Python 3.11+ and make; the rest is installed into .venv and the cache.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-fast check format bench docs fuzz clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "scurry needs Python 3.11 or newer; found $$($(PYTHON) --version). Run: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(STAMP)

demo: setup
	$(BIN)/python examples/01-flight-delays/demo.py

# Two at a time, file by file: most tests wait for a Flink or for a command, and two cores are what CI has.
AT_ONCE := -n 2 --dist loadfile

test: setup
	$(BIN)/python -m pytest $(AT_ONCE) --durations=15

test-fast: setup
	$(BIN)/python -m pytest $(AT_ONCE) -m 'not flink and not network'

check: setup
	$(BIN)/ruff format --check src tests examples benchmarks scripts
	$(BIN)/ruff check src tests examples benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/sizes.py
	$(BIN)/python scripts/reference.py --check

format: setup
	$(BIN)/ruff check --fix-only src tests examples benchmarks scripts
	$(BIN)/ruff format src tests examples benchmarks scripts

docs: setup
	$(BIN)/python scripts/reference.py

bench: setup
	$(BIN)/python -m benchmarks

# Ten minutes; atheris is no dependency of anything else.
fuzz: setup
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python -m tests.savepoints.fuzz 600

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
