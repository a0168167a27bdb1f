# The image of Goods API. Poetry stays in the stages that build; what runs has an interpreter, the locked packages and the
# code. docs/decisions/0030-the-image.md says why it is made this way.
FROM python:3.14-slim-trixie AS builder
# An index of your own instead of PyPI: `docker build --build-arg PIP_INDEX_URL=...`. It stays in this stage.
ARG PIP_INDEX_URL
ARG POETRY_VERSION=2.5.1
ARG POETRY_MIRROR_VERSION=0.6.5
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# binutils, because most wheels come with symbols for debuggers. Its version is the base image's own: one that is pinned
# is gone from the mirrors with Debian's next point release.
# hadolint ignore=DL3008
RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/* \
 && python -m venv /opt/poetry \
 && /opt/poetry/bin/pip install --quiet \
      "poetry==${POETRY_VERSION}" "poetry-plugin-pypi-mirror==${POETRY_MIRROR_VERSION}" \
 && python -m venv --without-pip /opt/venv
WORKDIR /build

# The dependencies are a layer of their own, which only a new lock file changes. As in the Makefile, Poetry asks the index
# that pip is set up to use.
FROM builder AS dependencies
COPY pyproject.toml poetry.lock ./
RUN index="$(/opt/poetry/bin/python -c 'from pip._internal.commands import create_command as c; print(c("install").parser.get_default_values().index_url.rstrip("/") + "/")')" \
 && VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:${PATH}" POETRY_PYPI_MIRROR_URL="${index}" \
    /opt/poetry/bin/poetry install --no-interaction --no-cache --only main --no-root --no-directory
# What a running service has no use for: symbols, tests, sources of compiled modules, stubs, bytecode of highlighters.
RUN find /opt/venv -name '*.so' -exec strip --strip-unneeded '{}' + \
 && find /opt/venv/lib -type d '(' -name tests -o -name testing -o -name _testbase ')' -prune -exec rm -rf '{}' + \
 && find /opt/venv/lib -type f -regextype egrep -regex '.*(\.(pyx|pxd|pxi|pyi|c|h|cpp|hpp)|/test_[^/]*\.py)' -delete \
 && rm -f /opt/venv/bin/[Aa]ctivate* \
 && /opt/venv/bin/python -m compileall -q -j 0 -x '/pygments/' --invalidation-mode unchecked-hash /opt/venv/lib

# The code, as the wheel that Poetry builds of it: what is installed is what would be published.
FROM dependencies AS project
COPY README.md LICENSE ./
COPY data ./data
COPY app ./app
RUN /opt/poetry/bin/poetry build --quiet --format wheel \
 && /opt/poetry/bin/pip --python /opt/venv/bin/python install --quiet --no-deps --no-index --no-compile \
      --target /srv/goods-api dist/*.whl \
 && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /srv/goods-api

FROM python:3.14-slim-trixie
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Goods API" \
      org.opencontainers.image.description="A catalogue and stock service that can be watched, trusted and deployed from the first minute." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="The Goods API authors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="python:3.14-slim-trixie"
# The packages are in their environment; nothing is ever installed into a container that runs.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip /usr/local/lib/python3*/site-packages/pip-*
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=project /srv/goods-api /srv/goods-api
ENV PATH="/srv/goods-api/bin:/opt/venv/bin:${PATH}" \
    PYTHONPATH=/srv/goods-api \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    API_HOST=0.0.0.0 \
    API_PORT=8000
WORKDIR /srv/goods-api
USER 10001:10001
EXPOSE 8000
# Whether the process serves. It never asks the database: a container that is started anew would not mend that.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-m", "app.health.probe", "/livez"]
CMD ["goods", "serve"]
