"""Holds the contract against that of the last release: nothing breaks, and nothing changes unsaid."""
