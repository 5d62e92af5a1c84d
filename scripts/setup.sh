#!/usr/bin/env bash
# Installs what the tests need and this machine lacks. Says nothing when nothing is missing, and asks nothing.
# Written for bash 3.2, which is what macOS has.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

# The tests use options that only the BSD netcat has; Apple's is one too, though its -h does not say so.
have_netcat() { have nc && { [ "$(uname -s)" = Darwin ] || nc -h 2>&1 | grep -q OpenBSD; }; }

# The race detector links with C, so it needs the headers as well as the compiler that go would call.
have_headers() { have "$cc" && echo '#include <stdlib.h>' | "$cc" -E -x c - >/dev/null 2>&1; }

# Without root certificates neither curl nor go can fetch over https.
have_roots() { [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] || [ -d /etc/pki/tls/certs ]; }

# need DEBIAN_PACKAGE HOMEBREW_PACKAGE CHECK...: remembers both packages when the check fails.
debian=() homebrew=()
need() {
  local deb=$1 brew=$2
  shift 2
  "$@" || { debian+=("$deb") homebrew+=("$brew"); }
}

if ! have go; then
  echo 'setup: Go 1.26 or newer is missing; https://go.dev/dl says how to install it.' >&2
  exit 1
fi

cc=$(go env CC)
cc=${cc%% *} # the name without its flags

need make make have make
need gcc gcc have "$cc"
need libc6-dev gcc have_headers
need netcat-openbsd netcat have_netcat
need ca-certificates ca-certificates have_roots
need openssl openssl have openssl
need curl curl have curl
need redis-server redis have redis-server
need procps procps have ps
need patch gpatch have patch

[ ${#debian[@]} -gt 0 ] || exit 0

if [ "$(uname -s)" = Darwin ] && have brew; then
  echo "setup: installing ${homebrew[*]}"
  HOMEBREW_NO_AUTO_UPDATE=1 HOMEBREW_NO_INSTALL_CLEANUP=1 brew install --quiet "${homebrew[@]}" </dev/null
elif have apt-get; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! have sudo; then
      echo "setup: missing: ${debian[*]}; run as root, or install sudo, or install them by hand." >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "setup: installing ${debian[*]}"
  # ${a[@]+...}: an empty array counts as unset for bash before 4.4 under set -u.
  apt() {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" </dev/null
  }
  # apt-get tells its whole story on stdout; only its errors are of interest here.
  apt update >/dev/null
  apt install -y --no-install-recommends "${debian[@]}" >/dev/null
else
  echo "setup: missing, and no apt-get or brew to install it with: ${debian[*]} (Debian's names)." >&2
  exit 1
fi
