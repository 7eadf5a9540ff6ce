#!/usr/bin/env bash
# Installs a release of reconcile for action.yml, on PATH for the steps that
# follow. What comes from the cache is verified like what was downloaded.
#   install.sh find      says which archive that is, as outputs of the step
#   install.sh install   downloads, verifies, unpacks
# It reads VERSION, and to install REPOSITORY and GH_TOKEN.
set -euo pipefail

fail() {
  echo "::error title=reconcile::$1"
  exit 1
}

directory=$RUNNER_TEMP/reconcile
version=${VERSION:-}

if [ "$version" != source ] && ! [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]]; then
  fail "version '$version' is no release: give with: {version: v1.2.3}"
fi

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "there is no release for $(uname -s)" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no release for $(uname -m)" ;;
esac
archive=reconcile_${version#v}_${os}_${arch}.tar.gz
mkdir -p "$directory/bin"

digest() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

download() { # NAME FILE
  curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$2" \
    --header "Authorization: Bearer $GH_TOKEN" "https://github.com/$REPOSITORY/releases/download/$version/$1" ||
    fail "release $version of $REPOSITORY has no $1"
}

verify() {
  local want got
  want=$(awk -v name="$archive" '$2 == name { print $1 }' "$directory/checksums.txt")
  [ -n "$want" ] || fail "checksums.txt of $version does not list $archive"
  got=$(digest "$directory/$archive")
  [ "$got" = "$want" ] || { rm -f "$directory/$archive"; fail "$archive has SHA-256 $got, the release says $want"; }
  if command -v gh >/dev/null; then
    gh attestation verify "$directory/$archive" --repo "$REPOSITORY" || fail "$archive was not built by a workflow of $REPOSITORY"
  else
    echo "::warning title=reconcile::gh is not here; the attestation was not verified, the checksum was"
  fi
}

case ${1:-} in
  find)
    [ "$version" = source ] || printf 'archive=%s\ndirectory=%s\n' "$archive" "$directory" >>"$GITHUB_OUTPUT"
    ;;
  install)
    if [ "$version" = source ]; then
      (cd "$GITHUB_ACTION_PATH" && CGO_ENABLED=0 go build -trimpath -o "$directory/bin/reconcile" ./cmd/reconcile)
    else
      download checksums.txt "$directory/checksums.txt"
      [ -f "$directory/$archive" ] || download "$archive" "$directory/$archive"
      verify
      tar -xzf "$directory/$archive" -C "$directory/bin" reconcile
    fi
    echo "$directory/bin" >>"$GITHUB_PATH"
    "$directory/bin/reconcile" version
    ;;
  *) fail "usage: install.sh find|install" ;;
esac
