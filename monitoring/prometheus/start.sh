#!/bin/sh
# Starts Prometheus, and lets it probe https://$SERVER_NAME, if there is one: it reads no environment itself.
set -eu
if [ -n "${SERVER_NAME:-}" ]; then
    printf '[{"targets": ["https://%s/healthz"]}]\n' "$SERVER_NAME" >/tmp/site.json
else
    printf '[]\n' >/tmp/site.json
fi
exec prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus --storage.tsdb.retention.time=30d
