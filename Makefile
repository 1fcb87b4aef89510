# nightdesk: `make` for the demo, `make help` for the rest. Needs python3 (3.11 or newer) and its venv module.

PYTHON ?= python3
# Arguments for pytest: `make test ARGS="tests/state -k snapshot"`.
# Twice as many workers as processors: the longest tests mostly wait for real processes.
ARGS ?= -n $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN)))) --dist worksteal
VENV := .venv
PY := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := run
.PHONY: run help install programs test check bench test-browser test-crash test-systemd screenshots requirements dist clean

ifeq ($(UV),)
# pip, the slow way: about half a minute instead of three seconds.
PIP := $(PY) -m pip --disable-pip-version-check
else
PIP := uv pip
PIP_FLAGS := --python $(PY) --compile-bytecode
endif
INSTALL = $(PIP) install --quiet $(PIP_FLAGS)

run: $(VENV)/ready ## show a whole night and morning on sample data (the default)
	@$(VENV)/bin/nightdesk demo

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.* ## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

install: $(VENV)/ready ## make .venv and install nightdesk in it

test: $(VENV)/ready-dev programs ## run every test but those of test-browser and test-systemd
	@$(PY) -m pytest --ignore=tests/systemd --ignore=tests/browser $(ARGS)

check: $(VENV)/ready-dev ## format, lint, types, import contracts, then the tests
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(MAKE) --no-print-directory test

test-crash: $(VENV)/ready-dev ## kill the daemon at 1,000 random instants
	@NIGHTDESK_KILLS=1000 $(PY) -m pytest tests/journeys/test_crash.py

test-browser: $(VENV)/ready-dev ## prove the dashboard in a real browser: chromium
	@bash .ci/need chromium which chromium
	@$(PY) -m pytest tests/browser

screenshots: $(VENV)/ready-dev ## take the pictures of the dashboard anew, with chromium
	@bash .ci/need chromium which chromium
	@$(PY) -m tests.browser.screenshots docs/screenshots

test-systemd: $(VENV)/ready-dev ## prove the units with a real systemd: needs root and systemd-nspawn
	@bash .ci/need systemd which systemd-analyze
	@bash .ci/need systemd-container which systemd-nspawn
	@$(PY) -m pytest tests/systemd

bench: $(VENV)/ready-bench ## measure against the limits of this machine and against other programs
	@$(PY) -m benchmarks

dist: $(VENV)/ready-dev ## build the wheel into dist/
	@$(PY) -m hatchling build --target wheel

# Every package is pinned with the hashes of all its files, so that one list serves every Python from
# 3.11 and every processor. The lists hold no addresses: pip asks the index it is set up with.
requirements: $(VENV)/ready ## pin all dependencies anew
	@command -v uv >/dev/null || $(PY) -m pip install --quiet 'uv>=0.5,<1'
	@PATH="$$PATH:$$PWD/$(VENV)/bin" && export PATH && cd requirements && \
	pin() { uv pip compile ../pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	    --generate-hashes --custom-compile-command 'make requirements' "$$@"; } && \
	pin --output-file runtime.txt && \
	pin --group ../pyproject.toml:build --constraint runtime.txt --output-file install.txt && \
	pin --group ../pyproject.toml:dev --constraint install.txt --output-file dev.txt && \
	pin --group ../pyproject.toml:bench --constraint dev.txt --output-file bench.txt
	@ls -l requirements/*.txt

clean: ## remove everything that was made here, your var/ excepted
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

programs: ## see to the programs that tests lean on: installed with apt-get as root, else named
	@bash .ci/need curl curl --version
	@bash .ci/need openssl openssl version
	@bash .ci/need procps ps --version
	@bash .ci/need prometheus promtool --version
	@bash .ci/need redis-server redis-server --version

# The stamps below say what has been installed; they are as new as the pins they were made from. An
# environment that is there and works is kept.
$(VENV)/made: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "nightdesk needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Name another: make PYTHON=python3.12" >&2; exit 1; }
ifeq ($(UV),)
	@$(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	        echo "$(PYTHON) has no venv module. Install it, then run make again:" \
	             "apt install python3-venv" >&2; exit 1; }; \
	    $(PYTHON) -m venv --clear $(VENV); }
else
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    uv venv --quiet --clear --no-python-downloads --python $(PYTHON) $(VENV)
endif
	@touch $@

$(VENV)/ready: $(VENV)/made requirements/install.txt pyproject.toml
	@echo "Installing into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements/install.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
# Importing from source costs as much again as running the byte-code.
	@$(PY) -m compileall -q daemon handlers state
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements/dev.txt
	@echo "Installing the tools for tests ..."
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/ready-bench: $(VENV)/ready requirements/bench.txt
	@echo "Installing the programs to compare with ..."
	@$(INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@
