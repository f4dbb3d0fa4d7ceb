"""Describes the tables of the models for people: docs/erd.dbml (dbdiagram.io reads it) and docs/erd.svg."""

from __future__ import annotations

from api.models import User
from scripts.erd.dbml import write as write_dbml
from scripts.erd.schema import read
from scripts.erd.svg import write as write_svg


def render() -> dict[str, str]:
    """The text of each file, by its name; equal models make equal text."""
    tables = read(User.metadata)
    return {"erd.dbml": write_dbml(tables), "erd.svg": write_svg(tables)}
