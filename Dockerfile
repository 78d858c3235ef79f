# `punchcard serve`, the whole API in one process on the embedded store. docs/configuration.md says how to run it.
# The base images are arguments so that a mirror can be named, or what tests/docker.sh makes of a machine's own files.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package punchcard

FROM ${RUNTIME_IMAGE}
# No name is needed for the user: the number alone is what a volume's files belong to.
RUN mkdir -m 700 /data && chown 10001:10001 /data
COPY --from=build /src/target/release/punchcard /usr/local/bin/punchcard
USER 10001:10001
VOLUME /data
EXPOSE 3000
# The image has no HTTP client; bash opens the connection itself.
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --retries=3 CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/3000; printf 'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; read -r -u 3 line; [[ $line == 'HTTP/1.1 200 '* ]]"]
ENTRYPOINT ["punchcard"]
CMD ["serve", "--addr", "0.0.0.0:3000", "--data", "/data"]
