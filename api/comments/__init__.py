"""Comments: handlers > schemas, service > policy > queries > models."""
