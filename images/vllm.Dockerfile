# aftershock/vllm: the platform's second engine, real vLLM on processors (workloads/manifests/vllm). No part of the suite needs it.
# UNTESTED: the machine that this project is developed on has no container builder. On the embedded cluster's nodes an image of this name holds
# the same files at the same places (cluster/machines/image_files.py; a test compares).
#
#   docker build -f images/vllm.Dockerfile -t REGISTRY/aftershock/vllm:dev .
FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv libnuma1 libtcmalloc-minimal4 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/aftershock
# dependencies first: they change less often than the code. The lock names every package, also those that overrides replace: nothing is solved here
COPY locks/vllm.txt locks/vllm.txt
RUN python3 -m venv .venv-vllm \
 && .venv-vllm/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r locks/vllm.txt
COPY workloads workloads
# the model is made, not stored: seeded, a minute or two
RUN .venv-vllm/bin/python -m workloads.vllm.train

ENV PATH=/opt/aftershock/.venv-vllm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1
USER 65532:65532
CMD [".venv-vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--help"]
