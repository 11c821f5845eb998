# What a developer or an operator runs from a checkout. Needs Python 3.11+ with venv, and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.ready
FUZZ_SECONDS ?= 60

.PHONY: help setup demo test coverage check interop test-root fuzz bench clean
help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv with everything the other targets need
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

demo: setup ## build a sample site and serve it: POP3 on 127.0.0.1:11110, POP3S on 11995, LMTP on 11024
	$(BIN)/python -m demo

test: setup ## the tests that need no privilege and no other program
	$(BIN)/python -m pytest

coverage: setup ## every branch of the POP3 core, accounts, spool, delivery, mail service and notices, each by its own unit tests
	$(BIN)/python -m pytest -q tests/unit/popd/pop3 tests/unit/accounts tests/unit/spool tests/unit/delivery tests/unit/mta tests/unit/notify \
		--cov=popd.pop3 --cov=accounts --cov=spool --cov=delivery --cov=mta --cov=notify --cov-branch --cov-fail-under=100 --cov-report=term:skip-covered

check: setup ## lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

interop: setup ## real clients, and real peers beside us; as root also sites of many uids
	$(BIN)/python -m pytest tests/interop

test-root: setup ## what needs root: many uids, reserved ports, hung FUSE homes
	$(BIN)/python -m pytest tests/root

fuzz: setup ## play random POP3 sessions for FUZZ_SECONDS; what breaks a promise is kept in the corpus
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

bench: setup ## figures beside Dovecot where it is installed (as root); needs gcc
	$(BIN)/python -m bench.pop3 --results bench/results/pop3.json

clean: ## remove what setup and the demo made
	rm -rf $(VENV) .demo .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
