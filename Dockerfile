# syntax=docker/dockerfile:1
# docker build -t audit-agent .                     the agent: no shell, no package manager, not root
# docker build -t audit-agent:journald --target journald .    the same, with journalctl
#
# Who wants the very same bytes each time pins the bases by digest: --build-arg NODE_IMAGE=node:26.10.0-trixie-slim@sha256:…
ARG NODE_IMAGE=node:26.10.0-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs26-debian13:nonroot

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
# No install scripts: the Node of this image is the one wanted.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build
# What goes into the image, as it lies there. The bundle needs nothing else: no node_modules. There is no `env` in the runtime image, so the
# launcher names its Node itself; with that `docker exec … audit-agent status` works without a shell.
RUN mkdir -p /image/app/config /image/usr/local/bin \
 && cp -R bin dist package.json LICENSE /image/app/ \
 && cp config/schema.json /image/app/config/ \
 && sed -i '1s|.*|#!/nodejs/bin/node|' /image/app/bin/audit-agent.js \
 && chmod 755 /image/app/bin/audit-agent.js \
 && ln -s /app/bin/audit-agent.js /image/usr/local/bin/audit-agent \
 && mkdir /state && chmod 700 /state

# With journalctl, which is no library but a program of systemd's.
FROM ${NODE_IMAGE} AS journald
# The version is Debian's of the day: fixes are wanted, and an older one is no longer there.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends systemd \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir /nodejs && ln -s /usr/local/bin /nodejs/bin
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /state /var/lib/audit-agent
USER 65532:65532
VOLUME ["/var/lib/audit-agent"]
EXPOSE 2020
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/usr/local/bin/audit-agent", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/audit-agent"]
CMD ["--config", "/etc/audit-agent/pipeline.yaml"]

FROM ${RUNTIME_IMAGE} AS agent
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="audit-agent" \
      org.opencontainers.image.description="Ships audit logs crash-safely: nothing lost, nothing twice, every byte as written." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
# The only place it writes to; everything else may be read-only (docker run --read-only).
COPY --from=build --chown=65532:65532 /state /var/lib/audit-agent
USER 65532:65532
VOLUME ["/var/lib/audit-agent"]
EXPOSE 2020
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/usr/local/bin/audit-agent", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/audit-agent"]
CMD ["--config", "/etc/audit-agent/pipeline.yaml"]
