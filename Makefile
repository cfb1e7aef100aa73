# SPDX-License-Identifier: ISC
# Every task of the project; `make help` lists them. Nothing is installed into the system's PostgreSQL.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TOOLCHAIN := build/toolchain
BIN := $(CURDIR)/.venv/bin
# The server that `make sql` was told of, also when trees for others are there.
MAJOR = $$("$$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
# PYTEST_ARGS='-k ticker' narrows a run, T=tests/unit names other folders.
PYTEST_ARGS ?=
# Much of the suite waits for processes: two workers use two cores. WORKERS=0 runs it in one process.
WORKERS ?= 2
T ?= tests/unit tests/packaging tests/pg tests/e2e
RATE ?= 100

# Not sql/mk/env.sh: it is looked at through those that read it.
SHELL_SCRIPTS = .ci/prepare .ci/run $(shell find sql bench tests -name '*.sh' ! -name env.sh)

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

prepare: ## Install what the build needs and is missing (apt), or say which packages to install
	@.ci/prepare build

prepare-test: ## The same for lint and test: adds shellcheck, promtool, prometheus
	@.ci/prepare test

venv: prepare .venv/.stamp ## Make the virtual environment in .venv

.venv/.stamp: pyproject.toml
	@. $(TOOLCHAIN); echo "venv: making .venv with $$PYTHON"
	@. $(TOOLCHAIN); [ -x .venv/bin/python ] || "$$PYTHON" -m venv .venv
	@flock .venv .venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 -e '.[dev]'
	@touch $@

sql: prepare ## Build the extensions and the private PostgreSQL tree
	@. $(TOOLCHAIN); [ -f build/pg$(MAJOR).path ] || echo "sql: building the extensions for PostgreSQL $(MAJOR)"
	@. $(TOOLCHAIN); $(MAKE) -C sql tree PG_CONFIG="$$PG_CONFIG" $(if $(filter sql,$(MAKECMDGOALS)),,>/dev/null)

lint: venv prepare-test ## Check style, types, layers, shell scripts and the C build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p skytools
	$(BIN)/mypy --strict --explicit-package-bases examples/demo
	$(BIN)/mypy --explicit-package-bases tests/fixtures tests/conftest.py
	$(BIN)/lint-imports
	shellcheck -x -P SCRIPTDIR $(SHELL_SCRIPTS)
	. $(TOOLCHAIN); $(MAKE) -C sql lint PG_CONFIG="$$PG_CONFIG"

test: venv prepare-test sql ## Run the whole test suite
	. $(TOOLCHAIN); $(MAKE) -C sql installcheck PG_CONFIG="$$PG_CONFIG"
	. $(TOOLCHAIN); SKYTOOLS_PG_MAJOR=$(MAJOR) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(T) $(PYTEST_ARGS)

test-peers: venv prepare-test sql ## Test against Debian's packages of Skytools 3 (unpacked, not installed)
	. $(TOOLCHAIN); SKYTOOLS_PG_BINDIR="$$(bench/peers.sh peers)" $(BIN)/python -m pytest tests/peers $(PYTEST_ARGS)

# The major of PostgreSQL for test-pg; TESTS as in sql/Makefile, T as for test.
PG ?= 17

test-pg: ## Test SQL, tests/pg and walmgr on PostgreSQL PG=14, 15, 16, 17 or 18 in a chroot (root; committed files only)
	@TESTS="$(TESTS)" T="$(if $(filter file,$(origin T)),,$(T))" tests/packaging/test-pg.sh $(PG) $(PYTEST_ARGS)

demo: venv sql ## Run the demo until Ctrl-C; SECONDS=30 ends by itself, RATE=100 events per second
	@. $(TOOLCHAIN); SKYTOOLS_PG_MAJOR=$(MAJOR) \
		exec $(BIN)/python -m examples.demo --rate $(RATE) $(if $(SECONDS),--seconds $(SECONDS))

play: venv sql ## Open a shell beside a private server, with ticker and manager at work
	@. $(TOOLCHAIN); SKYTOOLS_PG_MAJOR=$(MAJOR) exec $(BIN)/python -m examples.demo.playground

chaos: venv prepare-test sql ## Kill processes and servers at random for SECONDS=600 and more
	. $(TOOLCHAIN); SKYTOOLS_PG_MAJOR=$(MAJOR) SKYTOOLS_FAULT_SECONDS=$(or $(SECONDS),600) \
		$(BIN)/python -m pytest -m chaos tests/e2e/test_walmgr_*.py tests/e2e/test_memory.py \
		tests/e2e/test_cascade_chaos.py tests/e2e/test_takeover_drill.py \
		tests/e2e/test_londiste_takeover.py tests/e2e/test_londiste_big_values.py \
		tests/e2e/test_londiste_copy.py tests/pg/test_londiste_copy*.py \
		tests/pg/test_triggers_fuzz.py $(PYTEST_ARGS)
	. $(TOOLCHAIN); SKYTOOLS_PG_MAJOR=$(MAJOR) FAULT_ROUNDS=200 SKYTOOLS_EVERY_STEP=1 \
		$(BIN)/python -m pytest tests/e2e/test_faults.py tests/e2e/test_setadm_faults.py \
		tests/e2e/test_consumer_faults.py tests/e2e/test_consumer_keyed.py $(PYTEST_ARGS)

docs: venv ## Write the generated pages of docs/ again
	$(BIN)/python docs/generate.py

bench: venv sql ## Measure against Debian's pgq 3.5, side by side; writes docs/benchmarks.md
	$(BIN)/python -m bench.run --write

# The suite of Debian for the two below.
SUITE ?= trixie

deb: ## Build the Debian packages for SUITE=bookworm|trixie|sid in a clean chroot (root; committed files only)
	@tests/packaging/build.sh $(SUITE)

test-deb: ## Build, install and use the packages in booted systems of SUITE (root, 10 minutes)
	@tests/packaging/test-deb.sh $(SUITE)

test-clone: ## Run demo and test of a fresh clone in a bare system of SUITE (root, 30 minutes; T=demo: only that)
	@tests/packaging/test-clone.sh $(SUITE) "$(if $(filter file,$(origin T)),demo test,$(T))"

test-pip: venv sql ## Install sdist, wheel and folder with pip into empty environments, and run the demo in each
	@tests/packaging/test-pip.sh

clean: ## Remove what was built, except .venv
	@[ ! -f sql/Makefile ] || $(MAKE) -C sql clean >/dev/null
	@rm -rf build .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
	@find . -path ./.venv -prune -o -name __pycache__ -print0 | xargs -0r rm -rf

distclean: clean ## Remove .venv and what `make play` keeps too
	@rm -rf .venv .play

.PHONY: help prepare prepare-test venv sql lint test test-peers test-pg demo play chaos docs bench deb test-deb test-clone test-pip clean distclean
