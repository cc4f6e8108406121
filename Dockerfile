# Builds the bundle, then ships it alone: no package manager's tree, no sources.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY .ci/build.ts .ci/build.ts
COPY src src
COPY providers providers
RUN npm run build

FROM node:24-slim
ENV NODE_ENV=production ROLLCALL_DATA_DIR=/var/lib/rollcall ROLLCALL_LOG_FORMAT=json
# Node as process 1 takes in no orphans; tini does, and passes signals on.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/dist /opt/rollcall
COPY package.json LICENSE /opt/rollcall/
RUN ln -s /opt/rollcall/main.js /usr/local/bin/rollcall && install -d -o node -g node -m 0700 /var/lib/rollcall
USER node
# The only place that is written to: everything else may be mounted read-only.
VOLUME /var/lib/rollcall
EXPOSE 4100
# A process of its own: it sees ROLLCALL_* variables, not the arguments of the agent. So configure by environment.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["rollcall", "status", "-check=live"]
ENTRYPOINT ["tini", "--", "rollcall"]
CMD ["agent"]
