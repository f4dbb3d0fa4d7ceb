"""What gunicorn itself logs."""

from __future__ import annotations

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Its own, without a line for each request: the application writes those.

    Because its log is configured by us, gunicorn would gather all that could stand in such a line, and drop it.
    """

    access_log_enabled = False
