# The one image: it serves (the default), and it releases (`madang release`). Configured by the environment alone; see .env.example.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
RUN python -m venv --without-pip /venv
COPY requirements.lock requirements-dev.lock ./
RUN pip --python /venv/bin/python install --no-compile --require-hashes -r requirements.lock
COPY setup.cfg pyproject.toml README.md wsgi.py ./
COPY api api
COPY migrations migrations
COPY openapi/bundle.yaml openapi/bundle.yaml
COPY scripts/gunicorn.conf.py scripts/healthcheck.py scripts/start scripts/
COPY scripts/compose/make_secrets.py scripts/compose/
# setuptools builds the project, by hash like all the rest, and is not needed afterwards.
RUN awk '/^setuptools==/ {on = 1; print; next} /^[^ ]/ {on = 0} on' requirements-dev.lock >/tmp/setuptools.lock \
    && pip --python /venv/bin/python install --no-compile --no-deps --require-hashes -r /tmp/setuptools.lock \
    && pip --python /venv/bin/python install --no-compile --no-deps --no-build-isolation -e . \
    && pip --python /venv/bin/python uninstall --yes setuptools \
    && rm -r requirements.lock requirements-dev.lock README.md

FROM build AS slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY scripts/slim.py /tmp/slim.py
# Symbols are for debuggers. LD_BIND_NOW: whatever a library misses is found missing here.
RUN find /venv -name '*.so*' -type f -exec strip --strip-unneeded '{}' + \
    && LD_BIND_NOW=1 PYTHONPATH=/app PYTHONPYCACHEPREFIX=/var/cache/python /venv/bin/python /tmp/slim.py

# With all that the tests need; for the profile test of docker-compose.yml.
FROM build AS test
COPY requirements-dev.lock ./
RUN pip --python /venv/bin/python install --no-compile --require-hashes -r requirements-dev.lock
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis
USER 10001:10001
CMD ["scripts/compose/test.sh"]

FROM python:3.13-slim AS run
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="Madang" \
      org.opencontainers.image.description="A contract-first REST API: people sign up, write posts and comment" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPYCACHEPREFIX=/var/cache/python \
    ENVIRONMENT=production PORT=8000 REVISION=$REVISION
WORKDIR /app
COPY --from=slim /venv /venv
COPY --from=slim /app /app
COPY --from=slim /var/cache/python /var/cache/python
# A number, so that a cluster can see that it is not root. Nothing is written to the file system: it may be read-only.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["python", "scripts/healthcheck.py"]
CMD ["gunicorn", "-c", "scripts/gunicorn.conf.py", "wsgi:app"]
