# aftershock/platform: what the manifests of the reference platform run (workloads/manifests). No part of the suite needs it.
# What it holds stands in cluster/machines/image_files.py. The machine that this project is developed on has no container builder: there
# `make images` runs the same command as the first stage here and packs the same files; this file itself is UNTESTED.
#
#   docker buildx build --platform linux/amd64 -f images/platform.Dockerfile -t REGISTRY/aftershock/platform:dev .
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS root
ARG TARGETARCH
RUN apt-get update \
 && apt-get install -y --no-install-recommends make python3 python3-venv python3-yaml \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make .cache/uv/bin/uv
# packages are unpacked and never run
RUN python3 -m cluster.images root platform /root/platform --arch $TARGETARCH

FROM scratch
COPY --from=root /root/platform/system/ /
# dependencies before the code: they change less often
COPY --from=root /root/platform/environment/ /
COPY --from=root /root/platform/code/ /
WORKDIR /opt/aftershock
ENV PATH=/opt/aftershock/.venv-platform/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1
USER 65532:65532
CMD [".venv-platform/bin/python", "-m", "workloads.inference.api"]
