# One image for the code location, the webserver and the daemon; docker-compose.yaml chooses the command.
FROM python:3.11-slim-bookworm AS build

# Modules are compiled here: the user of the image cannot write beside them, and each start would compile anew.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
# uv installs into the environment from outside, so neither it nor pip is in the image.
RUN python -m venv --without-pip /opt/venv \
    && pip install --no-cache-dir --disable-pip-version-check uv==0.13.8

WORKDIR /opt/tick_pipeline
COPY pyproject.toml requirements.lock ./
# The lock holds every extra; as constraints it pins versions and hashes, and the tools of development stay out.
# hatchling and editables, pinned there too, build the package below without fetching anything.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /opt/venv/bin/python --requirements pyproject.toml \
        --extra aws --extra docker --extra ui --constraints requirements.lock hatchling editables

# Editable, since Dagster looks for pyproject.toml in a folder above the package.
COPY README.md LICENSE ./
COPY tick_pipeline/ tick_pipeline/
RUN uv pip install --python /opt/venv/bin/python --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q tick_pipeline

# Two jars, then Spark's class archive, whose name depends on the jars' times. An image layer keeps whole seconds
# only: without the touch the archive would never be found again.
ENV TICK_PIPELINE_CACHE=/opt/cache
RUN /opt/venv/bin/python -c "from tick_pipeline.resources import spark_runtime as s; s.fetch_jars(s.load_settings())" \
    && touch --date=2000-01-01T00:00:00Z /opt/cache/jars/*.jar \
    && /opt/venv/bin/python -m tick_pipeline.resources.spark_runtime


FROM python:3.11-slim-bookworm

# A user with a name: Spark asks the system who it is, and fails for a bare number.
# A new volume takes its owner from the folder that it is mounted over.
RUN useradd --uid 10001 --no-log-init --create-home tick \
    && install --directory --owner=tick --group=tick /var/lib/tick_pipeline

COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/cache /opt/cache
COPY --from=build /opt/tick_pipeline /opt/tick_pipeline
COPY deploy/dagster.yaml deploy/workspace.yaml /opt/dagster/

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TZ=UTC \
    DAGSTER_HOME=/opt/dagster \
    TICK_PIPELINE_CACHE=/opt/cache \
    TICK_PIPELINE_HOME=/var/lib/tick_pipeline/home

# By number, so that a host may check that it is not root. All code belongs to root; the user writes below /var/lib/tick_pipeline, its own home and /tmp.
USER 10001:10001
WORKDIR /opt/tick_pipeline

# Of the code location; compose brings the checks of the other two.
EXPOSE 4000
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
CMD ["dagster", "code-server", "start", "--host", "0.0.0.0", "--port", "4000", "--module-name", "tick_pipeline.definitions", "--working-directory", "/opt/tick_pipeline", "--location-name", "tick_pipeline"]
