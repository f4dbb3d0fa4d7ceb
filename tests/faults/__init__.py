"""What happens to callers when a server behind, a process or the machine fails."""
