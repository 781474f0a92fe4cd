# aftershock/suite: the runner (the CronJob of targets/in-cluster), load pods and reapers.
# It is made from the fault image, so a target file that names this one alone needs no other.
# UNTESTED: the machine that this project is developed on has no container builder. On the embedded cluster's nodes an image of this name holds
# the same files at the same places (cluster/machines/image_files.py; a test compares).
#
#   docker build -f images/suite.Dockerfile --build-arg FAULT=REGISTRY/aftershock/fault:dev -t REGISTRY/aftershock/suite:dev .
ARG FAULT=aftershock/fault:dev
FROM ${FAULT}
USER 0:0
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*

# dependencies first: they change less often than the code
COPY locks/suite.txt locks/suite.txt
RUN python3 -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r locks/suite.txt
COPY conftest.py conftest.py
COPY pyproject.toml pyproject.toml
COPY experiments experiments
COPY targets targets
COPY cluster cluster
COPY faults faults
COPY history history
COPY kube kube
COPY probes probes
COPY reports reports
COPY runner runner
COPY safety safety
COPY target target
COPY verdict verdict
COPY workloads workloads
# modules compiled once, here: containers run with a read-only root
RUN .venv/bin/python -m compileall -q -x '\.venv' .

ENV PATH=/opt/aftershock/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 65532:65532
CMD [".venv/bin/python", "-m", "pytest", "-m", "chaos", "--help"]
