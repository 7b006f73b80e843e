# One image with all binaries; the chart picks one by `command`. Only for running in a cluster: neither `cargo test` nor
# `cargo demo` builds or needs it.
#
#   docker build -t ghcr.io/vitistack/kubevirt-operator:0.1.0 .

# bookworm, as the image below: the binaries link against its glibc.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY shared shared
COPY certs certs
COPY webhook webhook
COPY controller controller
COPY gateway gateway
COPY tests tests
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package webhook --package controller --package gateway \
    && cp target/release/kubevirt-operator-webhook target/release/kubevirt-operator-controller target/release/kubevirt-operator-gateway /

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /kubevirt-operator-webhook /kubevirt-operator-controller /kubevirt-operator-gateway /
# A number, so that the kubelet can check runAsNonRoot.
USER 65532:65532
# The controller unless a command says otherwise.
CMD ["/kubevirt-operator-controller"]
