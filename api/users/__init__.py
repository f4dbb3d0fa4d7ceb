"""People: handlers > schemas, service > queries > models."""
