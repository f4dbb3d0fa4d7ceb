#!/bin/sh
# Starts Prometheus; PUBLIC_URL is probed from outside when it is https. Prometheus itself reads no environment.
set -eu
case ${PUBLIC_URL:-} in
https://*) printf '[{"targets": ["%s/healthz"]}]\n' "$PUBLIC_URL" >/tmp/site.json ;;
*) printf '[]\n' >/tmp/site.json ;;
esac
exec prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus --storage.tsdb.retention.time=30d
