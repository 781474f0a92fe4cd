# aftershock/fault: what acts on a node (fault pods) and beside a pod's processes (ephemeral containers).
# Debian's programs, its Python with the standard library, and the few modules of ours that run there; nothing of PyPI.
# UNTESTED: the machine that this project is developed on has no container builder. On the embedded cluster's nodes an image of this name holds
# the same files at the same places (cluster/machines/image_files.py; a test compares).
#
#   docker build -f images/fault.Dockerfile -t REGISTRY/aftershock/fault:dev .
FROM golang:1.26 AS disk
COPY cluster/go/disk /src
RUN cd /src && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o /aftershock-disk .

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 nftables iproute2 util-linux haproxy \
 && rm -rf /var/lib/apt/lists/*
# disks that are full, fail or are slow (faults/node_agent/fuse.py)
COPY --from=disk /aftershock-disk /usr/local/bin/

WORKDIR /opt/aftershock
COPY faults/__init__.py faults/__init__.py
COPY faults/node_agent faults/node_agent
# every module compiled once, here: containers run with a read-only root. It also proves that nothing else is imported.
RUN python3 -c "import faults.node_agent.main, faults.node_agent.signal_process"

ENV PYTHONUNBUFFERED=1
USER 65532:65532
CMD ["python3", "-m", "faults.node_agent.main", "--help"]
