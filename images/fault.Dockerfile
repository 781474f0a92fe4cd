# aftershock/fault: what acts on a node (fault pods) and beside a pod's processes (ephemeral containers).
# Debian's programs, its Python with the standard library, and the few modules of ours that run there; nothing of PyPI, no shell, no package
# manager. What it holds stands in cluster/machines/image_files.py. The machine that this project is developed on has no container builder:
# there `make images` runs the same command as the first stage here and packs the same files; this file itself is UNTESTED.
#
#   docker buildx build --platform linux/amd64,linux/arm64 -f images/fault.Dockerfile -t REGISTRY/aftershock/fault:dev .
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS root
ARG TARGETARCH
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-yaml \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# packages are unpacked and never run: both architectures are built on one, without emulation
RUN python3 -m cluster.images root fault /root/fault --arch $TARGETARCH

FROM scratch
COPY --from=root /root/fault/system/ /
COPY --from=root /root/fault/code/ /
WORKDIR /opt/aftershock
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1
USER 65532:65532
CMD ["python3", "-m", "faults.node_agent.main", "--help"]
