#!/usr/bin/env bash
# Installs a bundle of models and custom nodes below INSTALL_ROOT.
#
#   MODELS_BUCKET=bp-models-123456789012 BUNDLE_PREFIX=bundles/ID apply-bundle.sh
#
# Everything is downloaded, verified and unpacked aside first; only then are the
# files switched. A run that fails or is killed leaves the bundle that was there,
# and the same command goes on where it stopped.
#
# Environment
#   MODELS_BUCKET, BUNDLE_PREFIX  as above; a trailing slash is dropped
#   INSTALL_ROOT                  default /opt/comfyui
#   ASSET_SYNC_LOG                default /var/log/comfyui-asset-sync.log; empty: standard output only
#   PARALLEL_DOWNLOADS            assets at once, default 4
#   ARCHIVE_MAX_ENTRIES           of one archive, default 100000
#   ARCHIVE_MAX_BYTES             that one archive may unpack to, default 64 GiB
#   AWS_REGION, AWS_ENDPOINT_URL  and credentials as the AWS SDKs take them; without, the instance's own
#
# Status: 0 installed, or it was already; 1 failed; 2 refused; 75 another run holds the lock.
#
# It needs python3 (3.8 or later) and nothing beside its standard library: neither
# the AWS CLI nor boto3 takes up a download where it broke off.
set -euo pipefail

usage() {
  printf 'apply-bundle: %s\nusage: MODELS_BUCKET=BUCKET BUNDLE_PREFIX=bundles/ID [INSTALL_ROOT=/opt/comfyui] %s\n' "$1" "$0" >&2
  exit 2
}

[ "$#" -eq 0 ] || usage "takes no arguments, got: $*"
[ -n "${MODELS_BUCKET:-}" ] || usage "MODELS_BUCKET is not set"
[ -n "${BUNDLE_PREFIX:-}" ] || usage "BUNDLE_PREFIX is not set"

program=$(dirname "$(readlink -f "$0")")/apply_bundle
if [ ! -f "$program/__main__.py" ]; then
  printf 'apply-bundle: %s is missing; packer/scripts/50-apply-bundle.sh installs both\n' "$program" >&2
  exit 1
fi
if ! command -v python3 >/dev/null; then
  printf 'apply-bundle: python3 (3.8 or later) is missing; apt-get install -y python3\n' >&2
  exit 1
fi

umask 022
# Isolated: neither PYTHON* variables nor the user's packages take part.
exec python3 -I -B "$program"
