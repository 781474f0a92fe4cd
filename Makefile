# Aftershock: two commands do everything; while working, make quick.
#   make chaos   set up, start the embedded Kubernetes, run the experiments, print where the report is
#   make test    set up, run all checks and tests
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
ifndef PARALLEL
.NOTPARALLEL:
endif

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
RUN := $(VENV)/bin/python
TARGET ?= targets/local.yaml
CLUSTER ?= local
CHAOS_ARGS ?=

.PHONY: browser help setup build up deploy down chaos test quick lint unit processes integration local beside bench power soak mutations heal status lock clean

help: ## what can be done here
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

chaos: deploy ## set up, start the embedded Kubernetes, run every experiment, end with the report
	$(RUN) -m pytest -m chaos --chaos-target $(TARGET) $(CHAOS_ARGS)

# What runs at once prints its output whole when it ends; make fails if any of it fails, and waits for all.
AT_ONCE = $(MAKE) --no-print-directory --jobs=3 --output-sync=target PARALLEL=1

test: setup ## set up, run all checks and all tests (pure, with processes, on the embedded Kubernetes)
	@echo "test: the checks, the pure tests and the embedded Kubernetes at once, some two minutes; each speaks when it ends"
	+@$(AT_ONCE) lint unit deploy
	@$(MAKE) --no-print-directory integration

quick: setup ## the checks and the pure tests at once: what every commit must pass, within two minutes
	+@$(AT_ONCE) lint unit

setup: $(VENV)/.stamp ## the Python environment from requirements.lock

$(VENV)/.stamp: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $(PYTHON) is older than 3.11; install Python 3.11 or newer, or run make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "setup: $(PYTHON) has no venv module; install it (Debian: apt-get install python3-venv)"; exit 2; }
	@echo "setup: Python environment in $(VENV) from requirements.lock"
	test -x .cache/uv/bin/uv || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION); }
	test -x $(RUN) || .cache/uv/bin/uv venv -q --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	.cache/uv/bin/uv pip sync -q --require-hashes --python $(RUN) requirements.lock
	touch $@

build: setup ## what the embedded Kubernetes is made of (Go modules, Debian packages)
	$(RUN) -m cluster --name $(CLUSTER) build

up: build ## start the embedded Kubernetes
	$(RUN) -m cluster --name $(CLUSTER) up

deploy: up ## put the reference platform on it
	$(RUN) -m workloads deploy

down: ## stop the embedded Kubernetes; nothing is left behind
	$(RUN) -m cluster --name $(CLUSTER) down

lint: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

unit: setup ## pure tests on up to four cores at once: no process, no cluster
	$(RUN) -m pytest -n logical --maxprocesses=4 --dist=loadfile tests/unit

processes: setup ## real processes on this machine, no cluster: model servers, training ranks, whole sessions with a scripted child
	$(RUN) -m pytest tests/processes

browser: # a real browser looks at the report
	@command -v chromium > /dev/null || { echo "test: installing Debian's chromium, in which the report is looked at"; \
	  apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core > /dev/null; }

# Nearly all of these tests' time is waiting, so two halves run at once: `local` on the cluster of that name, `beside` without a cluster or on
# clusters of its own. The second is niced, so that it takes no CPU from what serves users in the first; a test that judges how users are served
# is marked `quiet`, and the other half stands still meanwhile (testing/runs/turns.py).
ON_LOCAL := tests/integration/runner tests/integration/faults tests/integration/load/test_pods.py tests/integration/test_platform.py

integration: deploy browser ## tests on the embedded Kubernetes and, at the same time, those with processes
	@echo "integration: two halves at once, some twelve minutes; each speaks when it ends"
	+@AFTERSHOCK_TURNS=$(abspath $(VENV)/turns) $(AT_ONCE) local beside

local:
	$(RUN) -m pytest -m integration --timeout=600 --durations=20 $(ON_LOCAL)

beside:
	nice -n 10 $(RUN) -m pytest -m "not chaos" --timeout=600 --durations=20 tests/processes tests/integration $(ON_LOCAL:%=--ignore=%)

bench: setup ## measure: load, verdict, report; each figure beside its bound
	$(RUN) -m bench

power: setup ## every seeded weakness of training must be found, the hardened variant must pass; can be stopped and resumed
	$(RUN) -m bench.training.power

soak: deploy ## null runs into a table that can be resumed: make soak RUNS=10
	$(RUN) -m bench.accuracy.soak --runs $(or $(RUNS),10) --target $(TARGET)

mutations: deploy ## break faults, probes, loads and histories on purpose: none may pass (resumable)
	$(RUN) -m bench.mutations --platform --write docs/results/mutations.md

heal: setup ## find and end everything that an earlier run left
	$(RUN) -m runner heal --target $(TARGET)

status: setup ## active faults, leases and journals
	$(RUN) -m runner status --target $(TARGET)

lock: setup ## write requirements.lock anew
	.cache/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock

clean: ## remove the environment and caches of this checkout (not the running cluster: make down)
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
