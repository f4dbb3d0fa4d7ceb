"""Dashboards, alerts and who is told, tried with the real programs."""
