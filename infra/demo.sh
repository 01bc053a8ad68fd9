#!/usr/bin/env bash
# The demo: from raw scans to a registered model, then questions about a room it has never seen.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" DVC_NO_ANALYTICS=1
start=$(date +%s)
say() { printf '\n\033[1m==>\033[0m %s\n' "$*"; }

git rev-parse --git-dir >/dev/null 2>&1 || git init -q
say "dvc repro: scans -> frames -> coordinates -> visibility -> questions -> models -> scores -> registry"
dvc repro
say "scores on held-out rooms"
vantage scores
say "asking models:/vantage@champion about a held-out room"
vantage tour
took=$(($(date +%s) - start))
say "done in $((took / 60)) min $((took % 60)) s. Next:"
cat <<'TXT'
    vantage ls                         stages and their freshness
    make ui                            Dagster and MLflow over this workspace
    vantage run extract --help         run one stage, or one scan
    $EDITOR params.yaml && dvc repro   change a parameter; only what depends on it runs again
    dvc exp run -S finetune.steps=800  try a variant beside the current one
TXT
