#!/usr/bin/env bash
# Runs where Packer runs, before anything is uploaded: says what is missing.
set -euo pipefail

fail() {
  printf 'packer: %s\n' "$1" >&2
  exit 1
}

[ -n "${WORKER_PATH:-}" ] || fail 'worker_path is not set: the worker program is not part of this repository; build with -var worker_path=FOLDER'
[ -d "$WORKER_PATH" ] || fail "worker_path $WORKER_PATH is no folder"
[ -f "$WORKER_PATH/worker.py" ] || fail "worker_path $WORKER_PATH has no worker.py"

if [ -n "${BUNDLE_ID:-}" ]; then
  [ -n "${MODELS_BUCKET:-}" ] || fail 'bundle_id is set and models_s3_bucket is not: aws ssm get-parameter --name /bp/models/bucket'
  [ -n "${INSTANCE_PROFILE:-}" ] || fail 'bundle_id is set and packer_instance_profile is not: aws ssm get-parameter --name /bp/packer/instance_profile'
  [ "${BUNDLE_PREFIX%/}" = "bundles/$BUNDLE_ID" ] || fail "models_s3_prefix ${BUNDLE_PREFIX:-(empty)} is not bundles/$BUNDLE_ID"
fi
