# One image for all processes: migrate, web and worker. What it installs is pinned by hash in locks/.

FROM node:22-slim AS playground
WORKDIR /src
COPY playground ./playground
COPY src/audience_gql/playground ./src/audience_gql/playground
RUN cd playground && npm ci --no-audit --no-fund && npm run build

FROM python:3.13-slim AS package
WORKDIR /src
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY locks ./locks
COPY src ./src
COPY playground ./playground
COPY --from=playground /src/src/audience_gql/playground ./src/audience_gql/playground
RUN python -m venv /app \
 && /app/bin/pip install --no-cache-dir --require-hashes --no-deps -r locks/runtime.txt \
 && /app/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
COPY --from=package /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home audience
USER 10001
EXPOSE 8000
CMD ["audience-gql", "serve", "--host", "0.0.0.0", "--port", "8000"]
