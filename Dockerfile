# One image for all processes: migrate, web and worker. locks/ pins its packages by hash; the pages' packages have their own lock file.

FROM python:3.13-slim AS package
WORKDIR /src
COPY locks ./locks
RUN python -m venv /app \
 && /app/bin/pip install --no-cache-dir --require-hashes --no-deps -r locks/runtime.txt \
 && pip install --no-cache-dir --require-hashes --no-deps --target /node -r locks/node.txt
COPY pyproject.toml README.md LICENSE hatch_build.py page_builder.py supply_chain.py package.json package-lock.json schema.graphql ./
COPY src ./src
COPY console ./console
COPY playground ./playground
COPY docs/operations ./docs/operations
# Only the build of the pages needs Node. It stays in this stage.
RUN PYTHONPATH=/node /app/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
COPY --from=package /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 AUDIENCE_LOG_FORMAT=json
RUN useradd --system --uid 10001 --no-create-home audience
USER 10001
EXPOSE 8000
CMD ["audience-gql", "serve", "--host", "0.0.0.0", "--port", "8000"]
