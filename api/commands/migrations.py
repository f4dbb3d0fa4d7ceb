"""What ``madang db`` and ``madang release`` need, and no server: Alembic would take a tenth of its start."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate

from api.infra.db import db

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def attach(flask: Flask) -> None:
    Migrate(flask, db, directory=str(MIGRATIONS))
