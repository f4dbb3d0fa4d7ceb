"""Makes the image smaller and its start quicker; run by the Dockerfile while it is built.

What the service never loads is removed. What it does load is loaded once, which leaves its bytecode, that of
Python's own library too, in PYTHONPYCACHEPREFIX: the image has none of it, and cannot write at run time.
"""

from __future__ import annotations

import pkgutil
import shutil
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
UNUSED = (
    # Beside the bundle and the style sheet that the pages load.
    "swagger_ui_bundle/vendor/*/swagger-ui-es-*",
    "swagger_ui_bundle/vendor/*/swagger-ui.js",
    "swagger_ui_bundle/vendor/*/swagger-ui-standalone-preset.js",
    "swagger_ui_bundle/vendor/*/*.map",
    # Other databases.
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/testing",
    # Redoc's files come in a package whose code, with what that needs, nobody runs.
    "flask_openapi",
    "pydantic",
    "pydantic_core",
    "pydantic*.dist-info",
    # For asyncio, of which SQLAlchemy has no need here.
    "greenlet*",
    # argon2 needs the compiled half of cffi alone.
    "cffi*",
    "pycparser*",
    # Nobody here calls others by HTTP but OpenTelemetry, which does without.
    "h11*",
    "httpcore*",
    # Other systems.
    "psutil/_psaix.py",
    "psutil/_psbsd.py",
    "psutil/_psosx.py",
    "psutil/_pssunos.py",
    "psutil/_pswindows.py",
    # For installers, compilers, type checkers and those who develop these.
    "*.dist-info/RECORD",
    "**/*.[ch]",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.proto",
    "alembic/testing",
    "anyio/_backends/_trio.py",
    "jsonschema/tests",
    "packaging/licenses",
    "referencing/tests",
    "sqlalchemy/ext/mypy",
    "urllib3/contrib/emscripten",
    "werkzeug/debug/shared",
)
TRACING = "api.infra.otel"
PRUNED = ("google", "opentelemetry/proto", "opentelemetry/semconv")
"""Names of everything that anybody traces: of these, only what is loaded stays."""
SHARED = ("libcrypto", "libssl")
"""Of OpenSSL 3: psycopg2 brings copies, the image has them for Python, and keeps them mended."""
LOADED = (
    "alembic.command",
    "gunicorn.app.wsgiapp",
    "gunicorn.arbiter",
    "psycopg2",
    "sqlalchemy.dialects.postgresql.psycopg2",
)


def main() -> None:
    for pattern in UNUSED:
        found = list(SITE.glob(pattern))
        if not found:
            raise SystemExit(f"{pattern} is not there any more")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in SHARED:
        [copy] = SITE.glob(f"psycopg2_binary.libs/{name}-*.so.3")
        [systems] = Path("/usr/lib").glob(f"*-linux-gnu/{name}.so.3")
        copy.unlink()
        copy.symlink_to(systems)
    api = import_module("api")
    names = (module.name for module in pkgutil.walk_packages(api.__path__, "api."))
    ours = [name for name in names if name != TRACING]
    for name in (*LOADED, *ours, TRACING):
        # Its bytecode would be as large as the service's own, and few have a use for it.
        sys.dont_write_bytecode = name == TRACING
        import_module(name)
    loaded = {getattr(module, "__file__", None) for module in sys.modules.values()}
    for folder in PRUNED:
        for file in (SITE / folder).rglob("*.py"):
            if str(file) not in loaded:
                file.unlink()


if __name__ == "__main__":
    main()
