# Everything sets itself up on first use. ARGS= is handed on, e.g. make test ARGS='-k feed'.
PYTHON ?= python3
ARGS   ?=
BIN    := .venv/bin
NODE   := tests/e2e/node
PEERS  := benchmarks/peers

export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Says what it does, and shows the output only when it fails.
quietly = @echo "  $(1)"; out=$$($(BIN)/$(1) 2>&1) || { printf '%s\n' "$$out"; exit 1; }

.PHONY: help run test check lint bench lock clean
.DELETE_ON_ERROR:

help:
	@echo "make run    start a demonstration (ARGS are options of 'lastcall demo')"
	@echo "make check  format, lint, types, import rules and the fast tests (ARGS go to pytest)"
	@echo "make test   the linters and the whole suite, with the coverage gate (ARGS go to pytest)"
	@echo "make bench  the benchmarks (ARGS go to them)"
	@echo "make lock   renew the locks; ARGS=--upgrade moves every pin"
	@echo "make clean  remove what make made"

run: .venv/run.stamp
	@$(BIN)/lastcall demo $(ARGS)

check: lint
	@$(BIN)/python -m pytest -q -m "not slow and not e2e and not fault" $(ARGS)

# A run narrowed by ARGS cannot cover everything, so the gate stands only for the whole suite.
test: lint $(NODE)/node_modules/.stamp
	@scripts/debian-packages curl faketime nginx postgresql prometheus $(if $(shell grep -rl --include='*.py' playwright tests 2>/dev/null),chromium)
	@$(BIN)/python -m coverage run -m pytest -q $(ARGS)
	@$(if $(strip $(ARGS)),echo "ARGS narrowed the run: no coverage gate.",$(BIN)/python -m coverage report)

lint: .venv/test.stamp
	$(call quietly,ruff format --check .)
	$(call quietly,ruff check .)
	$(call quietly,mypy)
	$(call quietly,lint-imports --no-logo)

# What cannot be installed is not measured, and the report says so.
bench: .venv/run.stamp
	@scripts/debian-packages nginx wrk redis-server postgresql || true
	-@$(MAKE) --no-print-directory --keep-going $(PEERS)/node/node_modules/.stamp \
		$(PEERS)/.venv/bin/made.stamp
	@$(BIN)/python -m benchmarks $(ARGS)

lock:
	@scripts/lock $(ARGS)

# --- set-up: a stamp is older than its lock exactly when there is something to do ---

.venv/made.stamp: scripts/make-venv
	@echo "Setting up .venv (once) ..."
	@scripts/make-venv .venv
	@touch $@

.venv/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml .venv/made.stamp
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.venv/test.stamp: requirements/test.txt .venv/run.stamp
	@echo "Adding the test tools to .venv (once) ..."
	@$(BIN)/python -m pip install -q --require-hashes -r requirements/test.txt
	@touch $@

%/node_modules/.stamp: %/package.json %/package-lock.json
	@scripts/debian-packages nodejs npm
	@cd $* && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(PEERS)/.venv/bin/made.stamp: $(PEERS)/requirements.txt scripts/make-venv
	@scripts/make-venv $(PEERS)/.venv
	@$(PEERS)/.venv/bin/python -m pip install -q --require-hashes -r $<
	@touch $@

clean:
	@rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache build src/*.egg-info $(NODE)/node_modules \
		$(PEERS)/.venv $(PEERS)/node/node_modules
	@find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
