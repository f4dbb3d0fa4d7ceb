#!/usr/bin/env bash
# The tests, in a container of the profile test: all but the slow ones, on a database of their own in the PostgreSQL and the Redis of
# docker-compose.yml; then one flow through its nginx.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
TEST_DATABASE_URL=$(</run/madang/database_url) TEST_REDIS_URL=$(</run/madang/redis_url)
python - "$TEST_DATABASE_URL" <<'PYTHON'
import sys
import psycopg2
from psycopg2.errors import DuplicateDatabase

server, _, name = sys.argv[1].rpartition("/")
connection = psycopg2.connect(f"{server}/postgres")
connection.autocommit = True
try:
    connection.cursor().execute(f"CREATE DATABASE {name}")
except DuplicateDatabase:
    pass
PYTHON
# tests/scripts is about checkouts, which make an environment and servers of their own.
TEST_DATABASE_URL=$TEST_DATABASE_URL TEST_REDIS_URL=$TEST_REDIS_URL \
    python -m pytest -q -p no:cacheprovider -m 'not slow' --ignore tests/scripts "$@"
python -m pytest -q -p no:cacheprovider -m slow tests/deploy/test_flow.py
