"""What answers PromQL.

Read in: prometheus-operator (labels ``app.kubernetes.io/name: prometheus``, ``operator.prometheus.io/name``; Service
``prometheus-operated`` with ``operated-prometheus: "true"``), the chart of prometheus-community, Thanos (``thanos query``, port 10902),
VictoriaMetrics' charts and operator (vmsingle 8428, vmselect 8481 below /select/0/prometheus), Mimir (below /prometheus, X-Scope-OrgID).
"""

from __future__ import annotations

from runner.discovery.known.catalogue import CATALOGUE
from runner.discovery.signs import Known, Signs

OF_MANY = "it may hold many clusters' series: labels in prometheus tell this one's apart"

CATALOGUE.register(
    Known(
        "Prometheus",
        "prometheus",
        Signs(
            labels=(
                {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"},
                {"operator.prometheus.io/name": ".+"},
                {"app": "prometheus", "component": "server"},
            ),
            images=(r"(^|/)prometheus/prometheus(:|@|$)", r"(^|/)prom/prometheus(:|@|$)", r"(^|/)bitnami/prometheus(:|@|$)"),
            commands=(r"(^|[ /])prometheus --config\.file\b", r"--storage\.tsdb\.path\b"),
            ports=(9090,),
        ),
        port=9090,
    ),
    Known(
        "Thanos Query", "prometheus",
        Signs(
            labels=(
                {"app.kubernetes.io/name": "thanos-query(-frontend)?"},
                {"app.kubernetes.io/name": "thanos", "app.kubernetes.io/component": "query(-frontend)?"},
            ),
            commands=(r"\bthanos query\b",), ports=(10902,),
        ),
        port=10902, remark=OF_MANY,
    ),
    Known(
        "VictoriaMetrics", "prometheus",
        Signs(
            labels=({"app.kubernetes.io/name": "(vmsingle|victoria-metrics-single)"},),
            images=(r"(^|/)victoria-metrics(:|@|$)",), ports=(8428,),
        ),
        port=8428,
    ),
    Known(
        "VictoriaMetrics cluster", "prometheus",
        Signs(labels=({"app.kubernetes.io/name": "vmselect"},), images=(r"(^|/)vmselect(:|@|$)",), ports=(8481,)),
        port=8481, path="/select/0/prometheus", remark=OF_MANY,
    ),
    Known(
        "Mimir", "prometheus",
        Signs(labels=({"app.kubernetes.io/name": "mimir", "app.kubernetes.io/component": "query-frontend"},)),
        port=8080, path="/prometheus", remark="it asks for a tenant: headers: {X-Scope-OrgID: {env: TENANT}}; " + OF_MANY,
    ),
)  # fmt: skip
