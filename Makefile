# Everything here sets itself up: it needs Python 3.11 or newer, make, and a package index that pip can reach.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SECONDS ?= 600
VOLUME ?= 10
FATES ?= 20000
TREES ?= 100000
COMMA := ,
BACKENDS ?= moto,dynalite,ministack

# Kept even where a shell says otherwise: the tests start many processes, and each would compile daxlite again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-lowest matrix surface removals lint generate bench bench-report workloads test-backends soak soak-shared clean

help:
	@echo "make demo           the main job, on servers of its own, in seconds; DEMO=--full for minutes"
	@echo "make test           the tests"
	@echo "make test-lowest    the tests with the lowest versions that pyproject.toml allows, in $(VENV)-lowest"
	@echo "make matrix         the tests on each Python from 3.11 to 3.14 that is there, and a hit beside each package that"
	@echo "                    programs have; MATRIX='--only neighbours' for a part of it"
	@echo "make surface        records the public surface in tests/public_surface.txt"
	@echo "make removals       which tests catch the removal of each guard; REMOVALS='--only settle' for some of them"
	@echo "make lint           style, types, import contracts and generated code"
	@echo "make generate       the classes for threads, from those for asyncio"
	@echo "make bench          benchmarks, in less than ten minutes; BENCH='--seconds 2' for a first look"
	@echo "make bench-report   docs/benchmarks.md and its pictures, from the last benchmarks"
	@echo "make workloads      hits by workload, every answer judged, in less than three minutes; into docs/benchmarks.md"
	@echo "make soak           the tests with VOLUME=$(VOLUME) times their random programs, then random interleavings of threads"
	@echo "                    for SECONDS=$(SECONDS), FATES=$(FATES) of processes that share a tier, and TREES=$(TREES) of"
	@echo "                    the shards of a stream; a printed seed replays a failure"
	@echo "make soak-shared    processes that share a tier for SECONDS=$(SECONDS), on servers that are killed, stopped, flushed and"
	@echo "                    filled meanwhile; SOAK='--backend dynalite' for another DynamoDB server"
	@echo "make test-backends  the differential suite and what only some servers have, against $(BACKENDS) (dynalite needs"
	@echo "                    node and npm);"
	@echo "                    with DAXLITE_TEST_ENDPOINT=http://... against that server too"

demo: $(VENV)/.demo
	$(BIN)/python -m daxlite demo $(DEMO)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 3 --dist worksteal

# Without aiobotocore, which allows a narrow range of botocore's versions.
test-lowest: $(VENV)-lowest/.dev
	$(VENV)-lowest/bin/python -m pytest -n 2 --dist worksteal --edges threads

matrix: $(VENV)/.python
	$(BIN)/python -m tools.matrix $(MATRIX)

surface: $(VENV)/.dev
	$(BIN)/python -m tests.public_surface --write

removals: $(VENV)/.dev
	$(BIN)/python -m tests.removals $(REMOVALS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.generate_sync --check

generate: $(VENV)/.dev
	$(BIN)/python -m tools.generate_sync

bench: $(VENV)/.bench
	@mkdir -p .benchmarks
	$(BIN)/python -m pytest benchmarks/test_*.py --benchmark-only --benchmark-json=.benchmarks/latest.json --benchmark-columns=median,rounds \
		--benchmark-quiet -p no:xdist $(BENCH)

bench-report: $(VENV)/.bench
	$(BIN)/python -m benchmarks.report

workloads: $(VENV)/.dev
	$(BIN)/python -m benchmarks.workloads --write

test-backends: $(VENV)/.dev
	$(BIN)/python -m tests.install_servers dynalite ministack
	DAXLITE_TEST_BACKENDS=$(BACKENDS)$(if $(DAXLITE_TEST_ENDPOINT),$(COMMA)endpoint) $(BIN)/python -m pytest -n 2 --dist worksteal tests/differential tests/simulator tests/feeds/test_backends.py

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --volume $(VOLUME)
	$(BIN)/python -m tests.interleavings.soak --seconds $(SECONDS)
	$(BIN)/python -m tests.interleavings.soak_processes --rounds $(FATES)
	$(BIN)/python -m tests.feeds.streams.soak --trees $(TREES)

soak-shared: $(VENV)/.dev
	$(BIN)/python -m tests.tier.soak --seconds $(SECONDS) $(SOAK)

clean:
	rm -rf $(VENV) $(VENV)-lowest .matrix .servers dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "daxlite needs Python 3.11 or newer; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml
	$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml
	$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)-lowest/.dev: pyproject.toml tools/lowest.py
	$(PYTHON) -m venv $(VENV)-lowest
	$(PYTHON) -m tools.lowest > $(VENV)-lowest/constraints.txt
	$(VENV)-lowest/bin/python -m pip --disable-pip-version-check --quiet install --constraint $(VENV)-lowest/constraints.txt --editable '.[tests]'
	@touch $@

$(VENV)/.bench: $(VENV)/.python pyproject.toml
	$(PIP) install --editable '.[bench]'
	@touch $@ $(VENV)/.demo $(VENV)/.dev
