"""Posts: handlers > schemas, service > policy > queries > models."""
