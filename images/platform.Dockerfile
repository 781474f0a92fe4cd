# aftershock/platform: what the manifests of the reference platform run (workloads/manifests). No part of the suite needs it.
# UNTESTED: the machine that this project is developed on has no container builder. On the embedded cluster's nodes an image of this name holds
# the same files at the same places (cluster/machines/image_files.py; a test compares).
#
#   docker build -f images/platform.Dockerfile -t REGISTRY/aftershock/platform:dev .
FROM debian:12-slim
# the programs of the embedded cluster's pods (cluster/host/packages.py): gateway and monitoring
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv haproxy prometheus \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/aftershock
# dependencies first: they change less often than the code
COPY locks/platform.txt locks/platform.txt
RUN python3 -m venv .venv-platform \
 && .venv-platform/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r locks/platform.txt
COPY workloads workloads
# modules compiled once, here: containers run with a read-only root
RUN .venv-platform/bin/python -c "import workloads.inference.serving, workloads.inference.decoder, workloads.monitoring.discovery"

ENV PATH=/opt/aftershock/.venv-platform/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1
USER 65532:65532
CMD [".venv-platform/bin/python", "-m", "workloads.inference.api"]
