"""Grafana's dashboards, written down as what is asked and drawn."""
