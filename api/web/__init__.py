"""Knows HTTP, never a resource."""
