"""The application as a server loads it: ``gunicorn -c scripts/gunicorn.conf.py wsgi:app``."""

import os

from api.app import create_app
from api.config import Settings

app = create_app(Settings.from_env(os.environ)).asgi
