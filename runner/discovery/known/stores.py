"""Where a platform keeps things: objects, features, experiments and models, and what waits in queues.

Read in: MinIO, helm/minio (label ``app: minio``, ``minio server``, ports 9000 and 9001); Rook (label ``app: rook-ceph-rgw``); SeaweedFS
(``weed s3``, port 8333); versitygw; Bitnami's chart of Redis (images redis and redis-sentinel, ports ``tcp-redis`` 6379 and
``tcp-sentinel`` 26379); Feast (``feast serve``, port 6566); MLflow's server and its community chart (``mlflow server``, port 5000);
Strimzi (label ``strimzi.io/kind``); RabbitMQ's cluster operator (label ``app.kubernetes.io/component: rabbitmq``); NATS' chart.
"""

from __future__ import annotations

from runner.discovery.known.catalogue import CATALOGUE
from runner.discovery.signs import Known, Signs

KEEPS_NO_FILES = "it keeps no object as a file of its own: faults on stored data (object_store) cannot be used with it"
SENTINEL = "Redis Sentinel"

CATALOGUE.register(
    Known(
        "MinIO",
        "storage",
        Signs(
            labels=({"app": "minio"}, {"app.kubernetes.io/name": "minio"}, {"v1.min.io/tenant": ".+"}),
            images=(r"(^|/)minio(:|@|$)",),
            commands=(r"\bminio server\b",),
            ports=(9000, 9001),
        ),
        port=9000, remark=KEEPS_NO_FILES,
    ),
    Known(
        "Ceph object gateway",
        "storage",
        Signs(labels=({"app": "rook-ceph-rgw"},), commands=(r"\bradosgw\b",), containers=("rgw",)),
        remark=KEEPS_NO_FILES,
    ),
    Known(
        "SeaweedFS",
        "storage",
        Signs(images=(r"(^|/)seaweedfs(:|@|$)",), commands=(r"\bweed (s3|filer|server|mini)\b",), ports=(8333,)),
        port=8333, remark=KEEPS_NO_FILES,
    ),
    Known(
        "versitygw",
        "storage",
        Signs(images=(r"(^|/)versitygw(:|@|$)",), commands=(r"\bversitygw\b",), ports=(7070,)),
        port=7070, remark="it keeps objects as files: write object_store to use faults on stored data",
    ),
    Known(
        "s3proxy", "storage", Signs(images=(r"(^|/)s3proxy(:|@|$)",), commands=(r"\bs3proxy\b",)),
        remark="it keeps objects as files where its store is a file system: write object_store to use faults on stored data",
    ),
    Known(
        "Feast", "features",
        Signs(images=(r"(^|/)feature-server(:|@|$)", r"(^|/)feast[^/]*(:|@|$)"), commands=(r"\bfeast serve\b",), ports=(6566,)),
        port=6566,
    ),
    Known(
        SENTINEL,
        "features",
        Signs(
            images=(r"(^|/)redis-sentinel(:|@|$)",), commands=(r"\bredis-sentinel\b", r"--sentinel\b"),
            ports=(26379,), containers=("sentinel",),
        ),
        port=26379,
    ),
    Known(
        "Redis",
        "features",
        Signs(
            labels=({"app.kubernetes.io/name": "(redis|valkey)"}, {"app": "(redis|valkey)"}),
            images=(r"(^|/)(redis|valkey)(-stack|-stack-server|-cluster)?(:|@|$)", r"(^|/)dragonfly(:|@|$)"),
            commands=(r"\b(redis|valkey)-server\b",),
            ports=(6379,),
        ),
        port=6379,
    ),
    Known(
        "MLflow",
        "tracking",
        Signs(
            labels=({"app.kubernetes.io/name": "mlflow.*"}, {"app": "mlflow.*"}),
            images=(r"(^|/)mlflow[^/]*(:|@|$)",),
            commands=(r"\bmlflow (server|ui)\b", r"\bmlflow\.server\b"),
            ports=(5000,),
        ),
        port=5000, health="/health",
    ),
    Known(
        "Kafka", "queue",
        Signs(
            labels=({"strimzi.io/kind": "Kafka"}, {"app.kubernetes.io/name": "kafka"}),
            images=(r"(^|/)(strimzi/)?kafka(:|@|$)", r"(^|/)cp-kafka(:|@|$)"), ports=(9092,),
        ),
        port=9092,
    ),
    Known(
        "RabbitMQ", "queue",
        Signs(labels=({"app.kubernetes.io/component": "rabbitmq"},), images=(r"(^|/)rabbitmq(:|@|$)",), ports=(5672,)),
        port=5672,
    ),
    Known(
        "NATS", "queue",
        Signs(labels=({"app.kubernetes.io/name": "nats"},), images=(r"(^|/)nats(:|@|$)",), commands=(r"\bnats-server\b",), ports=(4222,)),
        port=4222,
    ),
)  # fmt: skip
