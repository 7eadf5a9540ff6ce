# shellcheck shell=sh
# Prepares the storage of a PHP container, then runs what is appended.
set -eu
umask 077
cd /var/www/html
mkdir -p storage/keys storage/framework/cache/data storage/framework/sessions \
  storage/framework/views storage/framework/testing storage/logs bootstrap/cache
if [ -n "${APPLE_PRIVATE_KEY_P8_B64:-}" ]; then
  key=/var/www/html/storage/keys/Apple_AuthKey.p8
  if printf '%s' "$APPLE_PRIVATE_KEY_P8_B64" | base64 -d >"$key.tmp"; then
    mv -f "$key.tmp" "$key"
  else
    echo "APPLE_PRIVATE_KEY_P8_B64 is not base64: Sign in with Apple stays off" >&2
    rm -f "$key.tmp"
  fi
fi
