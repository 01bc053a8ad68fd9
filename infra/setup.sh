#!/usr/bin/env bash
# Makes the environment in .venv and installs Vantage with the given extras (default: all).
# Does nothing when that was done already for these very requirements.
#
#   VANTAGE_VENV         the environment's folder (default: .venv)
#   VANTAGE_PYTHON       the interpreter to use (default: the first of python3.11, python3.12, python3 that fits)
#   VANTAGE_TORCH_INDEX  where the CPU build of torch comes from when no GPU is found
#                        (default: PyTorch's own CPU index)
set -euo pipefail
cd "$(dirname "$0")/.."
extras="${1:-all}"
venv="${VANTAGE_VENV:-.venv}"
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

find_python() {
  for name in ${VANTAGE_PYTHON:-} python3.11 python3.12 python3; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
may_be_root() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; }

# Installs Debian packages where this user may. $1: why; the rest: packages.
system_packages() {
  local why="$1"
  shift
  if ! command -v apt-get >/dev/null 2>&1 || ! may_be_root; then return 1; fi
  say "installing system packages ($why): $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The Debian packages that are missing, all at once, so that one command brings them.
missing_packages() {
  git --version >/dev/null 2>&1 || echo git
  "$python" -c 'from ensurepip import bootstrap' 2>/dev/null ||
    "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
  for pair in libGL.so.1:libgl1 libEGL.so.1:libegl1 libX11.so.6:libx11-6 libusb-1.0.so.0:libusb-1.0-0 \
    libudev.so.1:libudev1 libidn2.so.0:libidn2-0; do
    "$python" -c "import ctypes; ctypes.CDLL('${pair%%:*}')" 2>/dev/null || echo "${pair##*:}"
  done
}

need_packages() {
  local missing
  missing="$(missing_packages | tr '\n' ' ')"
  [ -z "$missing" ] && return
  # shellcheck disable=SC2086
  if system_packages "git, venv, libraries of Open3D" $missing; then missing="$(missing_packages | tr '\n' ' ')"; fi
  [ -z "$missing" ] ||
    fail "system packages are missing and cannot be installed by this user; run  sudo apt-get install ${missing% }"
}

browser() {
  command -v chromium >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 && return
  local packages=""
  command -v chromium >/dev/null 2>&1 || packages="chromium"
  command -v npm >/dev/null 2>&1 || packages="$packages nodejs npm"
  # shellcheck disable=SC2086
  system_packages "for the browser tests" $packages ||
    say "no browser: the browser tests will say so and be skipped (apt-get install $packages)"
}

python="$(find_python)" || { system_packages "Python" python3 python3-venv && python="$(find_python)"; } ||
  fail "Python 3.11 or 3.12 is needed; on Debian 12 or Ubuntu 24.04 run  sudo apt-get install python3 python3-venv"
case "$extras" in train*) ;; *) need_packages ;; esac # graphics libraries are for scans
[ "$extras" = dev ] && browser

wanted="$extras $(cat pyproject.toml constraints.txt infra/setup.sh | sha256sum | cut -d' ' -f1)"
stamp="$venv/.vantage-installed"
installed="$(cat "$stamp" 2>/dev/null || true)"
if [ "$installed" = "$wanted" ] || [ "$installed" = "dev ${wanted#* }" ]; then
  exit 0
fi

say "making the environment in $venv with $("$python" --version)"
# An environment without pip is one whose making was interrupted.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv" ||
  fail "the environment could not be made; the messages of venv are above"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

if ! "$venv/bin/python" -c 'import torch' 2>/dev/null && ! command -v nvidia-smi >/dev/null 2>&1; then
  # The package index's own torch brings several GB of CUDA. Without a GPU: a wheel at hand, else PyTorch's CPU index.
  torch="$(grep '^torch==' constraints.txt)"
  say "installing $torch (CPU build)"
  pip install -q --no-deps --no-index "$torch" 2>/dev/null ||
    pip install --no-deps --index-url "${VANTAGE_TORCH_INDEX-https://download.pytorch.org/whl/cpu}" "$torch" ||
    fail "torch's CPU build was not found; set VANTAGE_TORCH_INDEX to an index that holds it"
fi
say "installing Vantage and what it needs (extras: $extras): about 250 packages, 0.7 GB"
# uv installs in a tenth of pip's time; it does not read pip's configuration, so pip stands behind it.
# Where Python may not keep what it compiles, every start would compile transformers anew (7 seconds instead of 4):
# then all is compiled once, here.
pip install -q uv >/dev/null 2>&1 &&
  "$venv/bin/uv" pip install --python "$venv/bin/python" -c constraints.txt -e ".[$extras]" \
    ${PYTHONDONTWRITEBYTECODE:+--compile-bytecode} \
    2> >(grep --line-buffered -v '^ [-+~] ' >&2) ||
  { say "uv could not; pip does it, which takes some minutes" &&
    pip install -q -c constraints.txt -e ".[$extras]" 2>&1 | { grep -v "^WARNING: Location" || true; }; }
"$venv/bin/python" -c 'import vantage' || fail "the installation failed; its messages are above"
printf '%s' "$wanted" >"$stamp"
say "installed"
