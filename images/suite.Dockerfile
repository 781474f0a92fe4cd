# aftershock/suite: the runner (the CronJob of targets/in-cluster), load pods and reapers.
# It holds all of the fault image, so a target file that names this one alone needs no other.
# What it holds stands in cluster/machines/image_files.py. The machine that this project is developed on has no container builder: there
# `make images` runs the same command as the first stage here and packs the same files; this file itself is UNTESTED.
#
#   docker buildx build --platform linux/amd64,linux/arm64 -f images/suite.Dockerfile -t REGISTRY/aftershock/suite:dev .
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS root
ARG TARGETARCH
RUN apt-get update \
 && apt-get install -y --no-install-recommends make python3 python3-venv python3-yaml \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make .cache/uv/bin/uv
# packages are unpacked and never run: both architectures are built on one, without emulation
RUN python3 -m cluster.images root suite /root/suite --arch $TARGETARCH

FROM scratch
COPY --from=root /root/suite/system/ /
# dependencies before the code: they change less often
COPY --from=root /root/suite/environment/ /
COPY --from=root /root/suite/code/ /
WORKDIR /opt/aftershock
ENV PATH=/opt/aftershock/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
CMD [".venv/bin/python", "-m", "pytest", "-m", "chaos", "--help"]
