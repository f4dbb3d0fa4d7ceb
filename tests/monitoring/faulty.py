"""The service with a fault of ours: what is to follow a commit fails. For gunicorn, in place of ``wsgi:app``."""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import Session

from wsgi import app

__all__ = ["app"]


def _fail() -> None:
    raise RuntimeError("a side effect that fails")


@event.listens_for(Session, "before_commit")
def _add(session: Session) -> None:
    session.info.setdefault("on_commit", []).append(_fail)
