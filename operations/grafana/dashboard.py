"""The Grafana dashboard of the panels; `python -m operations.grafana.dashboard` writes the file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operations.grafana.panels import ROWS
from operations.grafana.queries import WHERE, Panel

FILE = Path(__file__).with_name("lastcall.json")
SCHEMA = 39
"""What Grafana 10.4 writes; later ones bring it up to date when they read it."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> Mapping[str, Any]:
    return {
        "annotations": {"list": [_restarts()]},
        "description": "Who is logged in, how fast they are out everywhere, and what that costs.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "panels": list(_placed()),
        "refresh": "30s",
        "schemaVersion": SCHEMA,
        "tags": ["lastcall"],
        "templating": {"list": _variables()},
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "Lastcall",
        "uid": "lastcall-overview",
        "version": 1,
        "weekStart": "",
    }


def _restarts() -> Mapping[str, Any]:
    return {
        "datasource": SOURCE,
        "enable": True,
        "expr": f"changes(process_start_time_seconds{{{WHERE}}}[1m]) > 0",
        "iconColor": "orange",
        "name": "Restarts",
        "titleFormat": "{{instance}} started",
    }


def _variables() -> list[Mapping[str, Any]]:
    source = {
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "type": "datasource",
    }
    return [
        source,
        _variable("job", "Job", "label_values(lastcall_ready, job)"),
        _variable("instance", "Node", 'label_values(lastcall_ready{job=~"$job"}, instance)'),
    ]


def _variable(name: str, label: str, query: str) -> Mapping[str, Any]:
    return {
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": SOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }


def _placed() -> Iterator[Mapping[str, Any]]:
    """From left to right, and in the next line where there is no more room."""
    top, number = 0, 1
    for title, panels in ROWS:
        yield {
            "collapsed": False,
            "gridPos": {"h": 1, "w": 24, "x": 0, "y": top},
            "id": number,
            "panels": [],
            "title": title,
            "type": "row",
        }
        top, left, tallest = top + 1, 0, 0
        for panel in panels:
            number += 1
            if left + panel.width > 24:
                top, left, tallest = top + tallest, 0, 0
            at = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield _panel(panel, number, at)
            left, tallest = left + panel.width, max(tallest, panel.height)
        top, number = top + tallest, number + 1


def _panel(panel: Panel, id: int, at: Mapping[str, int]) -> Mapping[str, Any]:
    return {
        "datasource": SOURCE,
        "description": panel.about,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "gridPos": at,
        "id": id,
        "options": OPTIONS[panel.kind] | ({"textMode": panel.text} if panel.kind == "stat" else {}),
        "targets": [
            {
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expression,
                "format": {"heatmap": "heatmap", "table": "table"}.get(panel.kind, "time_series"),
                "instant": panel.kind == "table",
                "legendFormat": legend or "__auto",
                "range": panel.kind != "table",
                "refId": chr(ord("A") + place),
            }
            for place, (expression, legend) in enumerate(panel.targets)
        ],
        "title": panel.title,
        "type": panel.kind,
    }


def _defaults(panel: Panel) -> Mapping[str, Any]:
    if panel.kind == "heatmap":
        return {"custom": {"scaleDistribution": {"type": "linear"}}}
    steps = [{"color": colour, "value": value} for value, colour in panel.steps]
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
        "mappings": [],
        "thresholds": {"mode": "absolute", "steps": steps},
        "unit": panel.unit,
    }
    if panel.kind == "timeseries":
        scale = {"type": "log", "log": 10} if panel.log else {"type": "linear"}
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 20 if panel.stacked else 5,
            "lineWidth": 1,
            "scaleDistribution": scale,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "line" if len(panel.steps) > 1 else "off"},
        }
        if not panel.log:
            defaults["min"] = 0
    return defaults


OPTIONS: Mapping[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {
            "calcs": ["lastNotNull", "max"],
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    },
    "table": {"cellHeight": "sm", "footer": {"show": False}, "showHeader": True},
}


def text() -> str:
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
