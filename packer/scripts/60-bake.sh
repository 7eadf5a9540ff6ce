#!/usr/bin/env bash
# Bakes a bundle into the image, if one is named; boot then skips it.
set -euo pipefail

root=/opt/comfyui

if [ -z "${BUNDLE_ID:-}" ]; then
  echo 'no bundle to bake'
  exit 0
fi
export MODELS_BUCKET BUNDLE_PREFIX AWS_REGION
"$root/bin/apply-bundle.sh"
active=$(tr -d '[:space:]' <"$root/.active_bundle_id")
if [ "$active" != "$BUNDLE_ID" ]; then
  printf 'packer: bundle %s is installed, not %s: models_s3_prefix and bundle_id differ\n' "$active" "$BUNDLE_ID" >&2
  exit 1
fi
printf '%s\n' "$BUNDLE_ID" >"$root/.baked_bundle_id"
