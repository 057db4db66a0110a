# The engine as an image: packages by hash from the lock file, code from a wheel, and a user without rights.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/outreach
COPY requirements.lock .
RUN /opt/outreach/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY outreach outreach
COPY workers workers
COPY templates templates
COPY migrations migrations
COPY examples examples
RUN /opt/outreach/bin/pip install --no-deps .

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home outreach \
    && install -d -o outreach -g outreach -m 0750 /var/lib/outreach
COPY --from=build /opt/outreach /opt/outreach
ENV PATH=/opt/outreach/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OUTREACH_DATA_DIR=/var/lib/outreach
USER outreach
WORKDIR /var/lib/outreach
VOLUME /var/lib/outreach
EXPOSE 8000
CMD ["outreach", "up"]
