#!/bin/sh
# Starts Alertmanager with the receivers that have a setting: SLACK_WEBHOOK_URL, PAGERDUTY_ROUTING_KEY. It reads no environment itself.
set -eu
home=${ALERTMANAGER_HOME:-/tmp}
umask 077
sed "s|/tmp/|$home/|" "${ALERTMANAGER_SOURCE:-/etc/alertmanager/alertmanager.yml}" >"$home/alertmanager.yml"

receiver() { # NAME FILE VALUE
    printf '%s' "$3" >"$home/$2"
    [ -n "$3" ] || sed -i "/ # $1\$/d" "$home/alertmanager.yml"
}
receiver slack slack_webhook_url "${SLACK_WEBHOOK_URL:-}"
receiver pagerduty pagerduty_routing_key "${PAGERDUTY_ROUTING_KEY:-}"

exec "${ALERTMANAGER:-alertmanager}" --config.file="$home/alertmanager.yml" --storage.path="${ALERTMANAGER_DATA:-$home/data}" "$@"
