# A stream worker, a publisher, or any command of `forage`: docker build -t forage . && docker run --rm forage --help
FROM python:3.11 AS build
WORKDIR /source
RUN python -m venv /opt/forage
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY streams streams
COPY memory_index memory_index
COPY learners learners
COPY retrievers retrievers
COPY serving serving
COPY evaluation evaluation
COPY display display
COPY ops ops
RUN /opt/forage/bin/pip install --no-cache-dir --disable-pip-version-check ".[worker]"

FROM python:3.11-slim
COPY --from=build /opt/forage /opt/forage
# Volumes get the owner of the folder they are mounted on.
RUN useradd --system --uid 10001 --no-create-home forage && install -d -o forage -g forage -m 700 /var/lib/forage /checkpoints
ENV PATH=/opt/forage/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    FORAGE_DATA_DIR=/var/lib/forage FORAGE_METRICS=0.0.0.0:9464
USER forage
WORKDIR /var/lib/forage
VOLUME ["/var/lib/forage"]
EXPOSE 9464
# A worker that answers but does not get on ends by itself (its watchdog), so to answer is enough.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/metrics', timeout=4)"]
ENTRYPOINT ["forage"]
CMD ["worker"]
