#!/usr/bin/env bats
# apply-bundle.sh against `reconcile sandbox serve`, with archives that tar and
# Python made and objects that the AWS CLI uploaded.

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || return
  export WORK="$BATS_FILE_TMPDIR" MODELS_BUCKET=bp-models-123456789012
  go build -o "$WORK/reconcile" ./cmd/reconcile
  "$WORK/reconcile" sandbox serve --listen 127.0.0.1:0 --sandbox="$WORK/box.json" >"$WORK/exports" 3>&- &
  echo $! >"$WORK/pid"
  for _ in $(seq 200); do
    [ "$(grep -c '^export ' "$WORK/exports")" -ge 6 ] && break
    sleep 0.1
  done
  # shellcheck disable=SC1091
  source "$WORK/exports"
  objects
  aws s3api create-bucket --bucket "$MODELS_BUCKET" >/dev/null
  aws s3 sync --only-show-errors "$WORK/objects" "s3://$MODELS_BUCKET"
}

teardown_file() {
  kill "$(cat "$WORK/pid")"
}

# asset KIND TARGET ACTION FILE stores a file as an asset and prints its entry.
asset() {
  local sha
  sha=$(sha256sum "$4" | cut -d' ' -f1)
  mkdir -p "$WORK/objects/assets/$1"
  cp "$4" "$WORK/objects/assets/$1/$sha"
  printf '{"kind":"%s","sha256":"%s","asset_s3_key":"assets/%s/%s","original_filename":"f","target_path":"%s","action":"%s"}' "$1" "$sha" "$1" "$sha" "$2" "$3"
}

# bundle ID ENTRY... writes a manifest.
bundle() {
  local id=$1 IFS=,
  shift
  mkdir -p "$WORK/objects/bundles/$id"
  printf '{"manifest_version":1,"bundle_id":"%s","name":"%s","created_at":"2026-02-18T12:34:56Z","notes":null,"assets":[%s]}' "$id" "$id" "$*" >"$WORK/objects/bundles/$id/manifest.json"
}

objects() {
  local src="$WORK/src"
  mkdir -p "$src/node/sub"
  head -c 3000000 /dev/urandom >"$src/model"
  echo "print('node')" >"$src/node/__init__.py"
  echo data >"$src/node/sub/data"
  tar -C "$src" -czf "$src/node.tar.gz" node
  (cd "$src" && python3 -m zipfile -c node.zip node)
  ln -s /etc/passwd "$src/node/leak"
  tar -C "$src" -czf "$src/leak.tar.gz" node
  tar -C "$src" -czPf "$src/up.tar.gz" --transform 's|^model|../../../up|' model
  bundle a "$(asset checkpoint models/checkpoints/m.safetensors copy "$src/model")" "$(asset custom_node custom_nodes extract_tar_gz "$src/node.tar.gz")"
  bundle b "$(asset checkpoint models/checkpoints/m.safetensors copy "$src/model")" "$(asset custom_node custom_nodes/other extract_zip "$src/node.zip")"
  bundle leak "$(asset custom_node custom_nodes extract_tar_gz "$src/leak.tar.gz")"
  bundle up "$(asset custom_node custom_nodes extract_tar_gz "$src/up.tar.gz")"
  bundle path "$(asset checkpoint ../../evil copy "$src/model")"
}

setup() {
  export INSTALL_ROOT="$BATS_TEST_TMPDIR/comfyui" ASSET_SYNC_LOG="$BATS_TEST_TMPDIR/sync.log"
  mkdir -p "$INSTALL_ROOT"
}

apply() {
  BUNDLE_PREFIX="bundles/$1" run "$BATS_TEST_DIRNAME/../scripts/apply-bundle.sh"
}

@test "installs, switches and rolls back" {
  apply a
  [ "$status" -eq 0 ]
  cmp "$WORK/src/model" "$INSTALL_ROOT/models/checkpoints/m.safetensors"
  [ "$(cat "$INSTALL_ROOT/custom_nodes/node/sub/data")" = data ]
  [ "$(cat "$INSTALL_ROOT/.active_bundle_id")" = a ]
  grep -q 'bundle a is installed' "$ASSET_SYNC_LOG"
  apply b
  [ "$status" -eq 0 ]
  [ ! -e "$INSTALL_ROOT/custom_nodes/node" ]
  [ -f "$INSTALL_ROOT/custom_nodes/other/node/__init__.py" ]
  apply a
  [ "$status" -eq 0 ]
  [ ! -e "$INSTALL_ROOT/custom_nodes/other" ]
  [ "$(cat "$INSTALL_ROOT/.installed_bundle_paths")" = "custom_nodes/node/__init__.py
custom_nodes/node/sub/data
models/checkpoints/m.safetensors" ]
}

@test "refuses what leads out and keeps the bundle that was there" {
  apply a
  for id in leak up path; do
    apply "$id"
    [ "$status" -eq 2 ]
    [[ "$output" == *"bundle a stays installed, whole"* ]]
  done
  [ "$(cat "$INSTALL_ROOT/.active_bundle_id")" = a ]
  [ -z "$(find "$BATS_TEST_TMPDIR" -name up -o -name evil -o -name leak)" ]
}

@test "goes on after kills at random points" {
  local target=b
  apply a
  for _ in 1 2 3 4 5; do
    BUNDLE_PREFIX="bundles/$target" "$BATS_TEST_DIRNAME/../scripts/apply-bundle.sh" >/dev/null 3>&- &
    sleep "0.$((RANDOM % 5))"
    kill -9 $! 2>/dev/null || true
    wait $! || true
    [ "$target" = b ] && target=a || target=b
  done
  apply b
  [ "$status" -eq 0 ]
  cmp "$WORK/src/model" "$INSTALL_ROOT/models/checkpoints/m.safetensors"
  [ -f "$INSTALL_ROOT/custom_nodes/other/node/__init__.py" ]
  [ ! -e "$INSTALL_ROOT/custom_nodes/node" ]
}
