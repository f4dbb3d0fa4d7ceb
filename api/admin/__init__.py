"""Administration: who may be here, as what, and what was done: handlers > schemas, service."""
