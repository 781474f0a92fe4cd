#!/bin/sh
# Kubernetes ends a container with SIGTERM, at which HAProxy drops every connection; SIGUSR1 lets it finish them.
haproxy -f /etc/gateway/haproxy.cfg &
gateway=$!
trap 'kill -USR1 "$gateway"' TERM
# a signal ends `wait`, not the gateway: wait until it is gone
while kill -0 "$gateway" 2>/dev/null; do
  wait "$gateway"
  code=$?
done
exit "$code"
