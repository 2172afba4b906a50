#!/bin/bash
# Sets up what the tests need on a fresh Debian or Ubuntu machine with Rust, and runs every check.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

if ! command -v cc >/dev/null; then
    step "install a C linker (Debian package gcc)"
    SUDO=$([ "$(id -u)" = 0 ] || echo sudo)
    $SUDO apt-get update -q
    $SUDO apt-get install -y -q gcc libc6-dev
fi
# What the live kernel's side runs; a machine that has them is left as it is.
missing=()
for pair in ip:iproute2 bridge:iproute2 nstat:iproute2 iptables:iptables ebtables:ebtables conntrack:conntrack \
    brctl:bridge-utils sysctl:procps busybox:busybox-static ping:iputils-ping nc:netcat-openbsd socat:socat tmux:tmux tshark:tshark; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    step "install ${missing[*]}"
    SUDO=$([ "$(id -u)" = 0 ] || echo sudo)
    $SUDO apt-get update -q
    $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}"
fi
if command -v rustup >/dev/null; then
    rustup component add rustfmt clippy >/dev/null 2>&1 || true
fi

step "format"
cargo fmt --all --check
step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
if command -v cargo-deny >/dev/null; then
    step "licences and advisories"
    cargo deny --offline check bans licenses sources || cargo deny check bans licenses sources
fi
step "tests"
# Here properties are tried with the same cases every time; `cargo test` alone draws new ones.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-6180}
if command -v cargo-nextest >/dev/null; then
    cargo test --workspace --doc --locked --quiet
    # The ground truth prints one table over all recordings, so it runs as one process.
    cargo test --test groundtruth --locked
    cargo nextest run --workspace --locked -E 'not binary(/groundtruth|live|differential|killed|means|backend/)'
    # One scenario after the other, for their times' sake.
    step "the library on the live kernel"
    for t in live differential killed means backend; do
        cargo test --test $t --locked
    done
else
    cargo test --workspace --locked
fi
