"""The application as a server loads it: ``gunicorn -c scripts/gunicorn.conf.py wsgi:app``."""

import atexit
import os

from api.infra import memory, unused

memory.share()
with unused.left_out():
    from api.app import create_app
    from api.config import Settings
    from api.infra import tracing
    from api.infra.db import db

settings = Settings.from_env(os.environ)
service = create_app(settings)
with service.flask.app_context():
    tracing.start(settings, db.reads)
atexit.register(service.runtime.limits.settle)  # Redis hears of what was only noted
app = service.asgi
