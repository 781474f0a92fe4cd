# Aftershock: two commands do everything; while working, make quick.
#   make chaos   set up, start the embedded Kubernetes, run the experiments, print where the report is; then a weak platform, which FAILs
#   make test    set up, run all checks and tests
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
ifndef PARALLEL
.NOTPARALLEL:
endif

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .cache/uv/bin/uv
RUN := .venv/bin/python
DEV := .venv-dev/bin
PARTS := vllm # groups of pyproject.toml that are solved by themselves, each with a lock and an environment of its own
STACKS ?= # one part of the platform beside or in the place of what is always there: vllm (another engine behind the same gateway), async (a queue of jobs)
TARGET ?= targets/$(or $(filter vllm async,$(STACKS)),local).yaml
CLUSTER ?= local
CHAOS_ARGS ?=
NIGHT_TARGET = $(or $(if $(filter file,$(origin TARGET)),$(AFTERSHOCK_TARGET)),$(TARGET))# given as TARGET, else as the pytest option is, else the default
NEEDS ?= $(if $(filter $(NIGHT_TARGET),$(addprefix targets/,local.yaml vllm.yaml async.yaml)),deploy,setup) # of a night: the embedded cluster, or the suite alone; an image has it: NEEDS=

.PHONY: nightly browser images chaos-images jobset chaos-mesh help setup platform dev build up deploy down chaos test quick lint unit processes integration local beside bench power weak soak mutations heal status lock clean

help: ## what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

chaos: deploy ## set up, start the embedded Kubernetes, run the smoke set, end with the report and, on a weak platform, with a FAIL to look at
	$(RUN) -m pytest -m chaos --chaos-target $(TARGET) $(CHAOS_SET) $(CHAOS_ARGS)
	$(SEE_A_FAIL)

# Where nothing else was chosen, the night ends with one weak platform that is caught: what a FAIL and its advice look like.
ifeq ($(STACKS)$(CHAOS_ARGS)$(TARGET),targets/local.yaml)
SEE_A_FAIL = $(MAKE) --no-print-directory weak
endif

# What is run against another engine than the shipped one: controls, a lost replica, engine and node, a hang, a drain.
ifneq ($(filter vllm,$(STACKS)),)
CHAOS_SET := -k "null-control or sham-control or replica-killed or engine-killed or engine-frozen or node-drained or gpu-node-lost"
DEPLOY_ARGS := --variant vllm --timeout 900
deploy: workloads/vllm/weights/record.json
endif

ifneq ($(filter async,$(STACKS)),)
CHAOS_SET := -k "async"
DEPLOY_ARGS := --variant async
endif

# What runs at once prints its output whole when it ends; make fails if any of it fails, and waits for all.
AT_ONCE = $(MAKE) --no-print-directory --jobs=3 --output-sync=target PARALLEL=1

# What TARGET, SELECT, NIGHTS and CHAOS_MAX_MINUTES do not say, AFTERSHOCK_… in the environment does (docs/nightly). The program takes the
# shell's place, so that it hears SIGTERM and heals. make ends with 2 whatever the night's own exit code is, which its last line says.
nightly: $(NEEDS) ## one night: end what is left, run the experiments on TARGET, keep the night and compare it, report, end what is left
	exec $(RUN) -m runner nightly --target "$(NIGHT_TARGET)" $(if $(NIGHTS),--nights "$(NIGHTS)") \
	  $(if $(CHAOS_MAX_MINUTES),--max-minutes "$(CHAOS_MAX_MINUTES)") -- $(if $(value SELECT),-k "$$SELECT") $(CHAOS_ARGS)

test: setup platform dev ## set up, run all checks and all tests (pure, with processes, on the embedded Kubernetes)
	@echo "test: the checks, the pure tests and the embedded Kubernetes at once, five to ten minutes on two cores; each speaks when it ends"
	+@$(AT_ONCE) lint unit deploy
	@$(MAKE) --no-print-directory integration

quick: dev ## the checks and the pure tests at once: what every commit must pass, within two minutes
	+@$(AT_ONCE) lint unit

setup: .venv/.stamp ## the suite's Python environment alone: all that a staging cluster needs

platform: .venv-platform/.stamp ## what the pods of the embedded Kubernetes run: torch, MLflow

dev: .venv-dev/.stamp ## the suite's packages, the platform's, and the tools of checks and tests

# An environment is .venv-NAME with what locks/NAME.txt says; the suite's is .venv. uv links files to its cache, so a package is on disk once.
define install
@echo "setup: Python environment in $(@D) from $<"
test -x $(@D)/bin/python || $(UV) venv -q --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(@D)
$(UV) pip sync -q $(INSTALL) --require-hashes --python $(@D)/bin/python $<
touch $@
endef

.venv/.stamp: INSTALL := --compile-bytecode # reapers and load pods see it read-only
.venv-vllm/.stamp: INSTALL := --compile-bytecode # without it each start of a replica compiles for a minute
.venv/.stamp: locks/suite.txt | $(UV)
	$(install)

.venv-%/.stamp: locks/%.txt | $(UV)
	$(install)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $(PYTHON) is older than 3.11; install Python 3.11 or newer, or run make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "setup: $(PYTHON) has no venv module; install it (Debian: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)

build: setup ## what the embedded Kubernetes is made of (Go modules, Debian packages)
	$(RUN) -m cluster --name $(CLUSTER) build

up: build ## start the embedded Kubernetes
	$(RUN) -m cluster --name $(CLUSTER) up

deploy: up platform ## put the reference platform on it
	$(RUN) -m workloads deploy $(DEPLOY_ARGS)

workloads/vllm/weights/record.json: $(addprefix workloads/,vllm/train.py vllm/model.py vllm/answers.py inference/corpus.py) | .venv-vllm/.stamp
	@echo "setup: training the model that vLLM serves, a minute or two"
	.venv-vllm/bin/python -m workloads.vllm.train

down: ## stop the embedded Kubernetes; nothing is left behind
	$(RUN) -m cluster --name $(CLUSTER) down

lint: dev
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy
	$(DEV)/lint-imports

unit: dev ## pure tests on up to four cores at once: no process, no cluster
	$(DEV)/python -m pytest -n logical --maxprocesses=4 --dist=loadfile tests/unit

processes: dev ## real processes on this machine, no cluster: model servers, training ranks, whole sessions with a scripted child
	$(DEV)/python -m pytest tests/processes

browser: # a real browser looks at the report
	@command -v chromium > /dev/null || { echo "test: installing Debian's chromium, in which the report is looked at"; \
	  apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core > /dev/null; }

# Nearly all of these tests' time is waiting, so two halves run at once: `local` on the cluster of that name, `beside` without a cluster or on
# clusters of its own. The second is niced, so that it takes no CPU from what serves users in the first; a test that judges how users are served
# is marked `quiet`, and the other half stands still meanwhile (testing/runs/turns.py). The first is shorter: it takes some of the others along.
ON_LOCAL := tests/integration/runner tests/integration/faults tests/integration/load/test_pods.py tests/integration/test_platform.py
AFTER_LOCAL := tests/processes/inference

integration: deploy dev browser ## tests on the embedded Kubernetes and, at the same time, those with processes
	@echo "integration: two halves at once, half an hour to an hour on two cores; each speaks when it ends"
	+@AFTERSHOCK_TURNS=$(abspath .venv-dev/turns) $(AT_ONCE) local beside

local:
	$(DEV)/python -m pytest -m "not chaos" --timeout=600 --durations=20 $(ON_LOCAL) $(AFTER_LOCAL)

beside:
	nice -n 10 $(DEV)/python -m pytest -m "not chaos" --timeout=600 --durations=20 tests/processes tests/integration $(patsubst %,--ignore=%,$(ON_LOCAL) $(AFTER_LOCAL))

bench: dev ## measure: load, verdict, report; each figure beside its bound
	$(DEV)/python -m bench

power: deploy dev ## every seeded weakness of training and serving must be found, the hardened variants must pass; can be stopped and resumed
	$(DEV)/python -m bench.training.power
	$(DEV)/python -m bench.weak

weak: deploy ## see a FAIL: the platform with one weakness, the experiment that finds it, its report; then the hardened platform again
	@echo "weak: now the same platform with one weakness (its health check does not ask the engine): the experiment must FAIL and name it"
	$(RUN) -m bench.weak --only health-blind --runs 1 --anew

soak: deploy dev ## null runs into a table that can be resumed: make soak RUNS=10
	$(DEV)/python -m bench.accuracy.soak --runs $(or $(RUNS),10) --target $(TARGET)

mutations: deploy dev ## break faults, probes, loads and histories on purpose: none may pass (resumable)
	$(DEV)/python -m bench.mutations --platform --write docs/results/mutations.md

# A cluster of its own: what stands on `local` stays. It stays up, to be looked at; make down CLUSTER=jobset takes it away.
jobset: setup platform ## training jobs as JobSets: build JobSet's controller, start a cluster with it, kill a rank and a pod, end with the report
	$(RUN) -m cluster --name jobset up --index 7 --with jobset
	$(RUN) -m workloads deploy --cluster jobset --variant jobset
	$(RUN) -m pytest -m chaos --chaos-target targets/jobset.yaml -k "rank-killed or coordinator-lost" $(CHAOS_ARGS)

# As jobset, a cluster of its own. dns-silent is there to be skipped: Chaos Mesh has nothing equal to it.
chaos-mesh: setup platform ## faults through Chaos Mesh: build it, start a cluster with it, kill a pod and cut one off by its objects, end with the report
	$(RUN) -m cluster --name chaos-mesh up --index 8 --with chaos-mesh
	$(RUN) -m workloads deploy --cluster chaos-mesh
	$(RUN) -m pytest -m chaos --chaos-target targets/chaos-mesh.yaml -k "replica-killed or replica-partitioned or dns-silent" $(CHAOS_ARGS)

images: setup ## build the images of images/ without a container builder (Debian's packages, locks); print their sizes beside their bounds
	$(RUN) -m cluster.images build

# On `local`, which must not be up as another cluster: the target file and the platform's manifests are those of make chaos.
chaos-images: setup platform ## make chaos on a cluster whose pods see built images instead of this machine's files; begins with make down
	$(RUN) -m cluster down
	$(RUN) -m cluster.images build
	$(RUN) -m cluster up --images
	$(RUN) -m workloads deploy
	$(RUN) -m pytest -m chaos --chaos-target targets/local.yaml $(CHAOS_ARGS)
	$(RUN) -m bench.images

heal: setup ## find and end everything that an earlier run left
	$(RUN) -m runner heal --target $(TARGET)

status: setup ## active faults, leases and journals
	$(RUN) -m runner status --target $(TARGET)

LOCK := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
lock: | $(UV) ## write locks/ anew: one version of each package in suite, platform and dev
	$(LOCK) --group dev -o locks/dev.txt
	for group in suite platform; do $(LOCK) --group $$group --constraints locks/dev.txt -o locks/$$group.txt; done
	for group in $(PARTS); do $(LOCK) --group $$group $$(ls locks/$$group.overrides 2> /dev/null | sed 's/^/--override /') -o locks/$$group.txt; done

clean: ## remove the environments and caches of this checkout (not the running cluster: make down)
	rm -rf .venv .venv-* workloads/vllm/weights .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
