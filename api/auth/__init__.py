"""Signing up, logging in, staying logged in: handlers > schemas, service > queries > models."""
