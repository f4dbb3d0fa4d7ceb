"""A dashboard as Grafana reads it."""

from __future__ import annotations

import json
from typing import Any

from scripts.dashboards.panels import Dashboard, Panel

Json = dict[str, Any]
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}
WIDTH, HEIGHT = 12, 8
"""In cells, of which a row has 24."""


def document(dashboard: Dashboard) -> str:
    panels = [_panel(number, panel) for number, panel in enumerate(dashboard.panels)]
    if dashboard.uid == "madang-service":
        panels.append(_log(len(panels)))
    found = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["madang"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": panels,
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _panel(number: int, panel: Panel) -> Json:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": PROMETHEUS,
        "gridPos": _place(number, WIDTH),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {"refId": f"Q{place}", "datasource": PROMETHEUS, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _log(number: int) -> Json:
    query = '{service="app", level=~"WARNING|ERROR|CRITICAL"}'
    return {
        "id": number + 1,
        "type": "logs",
        "title": "What the service complains of",
        "datasource": LOKI,
        "gridPos": _place(number, 2 * WIDTH),
        "options": {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True},
        "targets": [{"refId": "Q0", "datasource": LOKI, "expr": query}],
    }


def _place(number: int, width: int) -> Json:
    row, column = divmod(number, 24 // WIDTH)
    return {"x": column * WIDTH, "y": row * HEIGHT, "w": width, "h": HEIGHT}
