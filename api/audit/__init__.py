"""The audit log: who did what of interest to security, written in the transaction of the act."""
