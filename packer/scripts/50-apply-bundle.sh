#!/usr/bin/env bash
# The installer of bundles, at the path that boot, bake and Run Command call.
set -euo pipefail

source=/var/lib/packer-upload
bin=/opt/comfyui/bin

mkdir -p "$bin/apply_bundle"
install -m 755 "$source/apply-bundle.sh" "$bin/apply-bundle.sh"
install -m 644 "$source"/apply_bundle/*.py "$bin/apply_bundle/"
