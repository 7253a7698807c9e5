# `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The properties' seed: the same for everybody, so that a red test is red for everybody. Another one explores.
SEED ?= 1
# Most of the tests' time is waiting for servers, so two processes halve it even on a small machine.
WORKERS ?= 2
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find src -name '*.rs' -o -name '*.toml')

.DEFAULT_GOAL := help
.PHONY: help env build demo test test-rust test-python lint stubs wheel clean preflight

help:
	@echo "make demo   run the reference service on an embedded PostgreSQL and show every figure"
	@echo "make test   all tests, lints and type checks"
	@echo "make wheel  build a wheel and try it in a clean virtual environment"
	@echo "make stubs  write python/interlock/_native.pyi again"

preflight:
	@command -v cargo >/dev/null || { echo "error: Rust is missing: install it from https://rustup.rs, then run make again" >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing: install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1): run make PYTHON=/path/to/python3.11" >&2; exit 1; }

$(BIN)/python: | preflight
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.16,<2'

# One release build serves the demo, the tests and the benchmarks.
$(VENV)/.built: $(BIN)/python pyproject.toml $(RUST_SOURCES)
	@echo "Installing the dependencies and building the Rust core: some minutes the first time"
	@PIP_QUIET=1 $(BIN)/maturin develop --quiet --release --extras all --group dev
	@touch $@

env: $(VENV)/.built

build: env

demo: env
	$(BIN)/interlock demo $(ARGS)

test: env lint test-rust test-python

lint: env
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --no-default-features --all-targets -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/check_stub.py

test-rust: env
	PROPTEST_RNG_SEED=$(SEED) cargo test --quiet --no-default-features
	PROPTEST_RNG_SEED=$(SEED) PYO3_PYTHON=$(abspath $(BIN)/python) cargo test --quiet

test-python: env
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --hypothesis-seed=$(SEED) $(ARGS)

stubs: env
	$(BIN)/python tests/check_stub.py --write

wheel: preflight $(BIN)/python
	sh tests/wheel_smoke.sh $(BIN) dist

clean:
	rm -rf target dist $(VENV)
