"""The cloud load balancer: HAProxy on the host, outside the cluster, in front of the nodes' NodePorts.

It asks every node every 500 ms, takes one out after two bad answers and cuts the connections that it holds to it.
"""

from cluster.config import ClusterConfig, Frontend

CHECK_INTERVAL_MS = 500
CHECKS_TO_CHANGE = 2

_GLOBAL = """global
  maxconn 8192
  nbthread 1
  log stdout format raw local0 info
  stats socket {socket} mode 600 level user

defaults
  mode http
  log global
  option httplog
  option dontlog-normal
  option log-health-checks
  maxconn 4096
  timeout connect 500ms
  timeout client 130s
  timeout server 130s
  timeout check 500ms
  timeout queue 2s
  timeout http-request 10s
  timeout http-keep-alive 60s
  # a connection that could not be made is tried on another node; a request that was sent is never sent twice
  retries 2
  retry-on conn-failure
  option redispatch 1
"""

_PROXY = """
frontend {name}
  bind 127.0.0.1:{port}
  default_backend {name}

backend {name}
  balance roundrobin
  option httpchk GET {check_path}
  # 404: the gateway behind it is stopping. It gets nothing new and keeps what it has
  http-check disable-on-404
  http-check expect rstatus ^[23]
  default-server check inter {inter}ms fall {changes} rise {changes} maxconn 1024 on-marked-down shutdown-sessions
{servers}
"""


def render(config: ClusterConfig, stats_socket: str) -> str:
    """Return HAProxy's configuration for the cluster's frontends; `stats_socket` is where its state can be asked."""
    return _GLOBAL.format(socket=stats_socket) + "".join(_proxy(config, f) for f in config.frontends)


def _proxy(config: ClusterConfig, frontend: Frontend) -> str:
    nodes = frontend.nodes or tuple(n.name for n in config.nodes)
    servers = "\n".join(f"  server {n} {config.node_address(n)}:{frontend.node_port}" for n in nodes)
    return _PROXY.format(
        name=frontend.name,
        port=frontend.port,
        check_path=frontend.check_path,
        inter=CHECK_INTERVAL_MS,
        changes=CHECKS_TO_CHANGE,
        servers=servers,
    )
