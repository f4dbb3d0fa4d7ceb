"""Backups: what is taken, how it is known to be whole, and how it comes back. docs/operations.md is the manual."""
