# shellcheck shell=bash disable=SC2154
# What a GPU worker does at boot. The values it works with (region, names, URLs)
# stand above this text, each in single quotes.
set -euo pipefail
exec > >(tee -a /var/log/comfyui-asset-sync.log) 2>&1

export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
instance=

log() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }

# A worker that cannot serve must not stay: its EC2 status is healthy, so
# nothing else would ever notice. The group replaces it after either of the
# two; the shutdown is for an instance that may not, or cannot, call AWS.
give_up() {
  trap - EXIT
  log "this worker cannot start: handing the instance back to $group"
  if [ -n "$instance" ]; then
    aws autoscaling set-instance-health --instance-id "$instance" --health-status Unhealthy \
      --no-should-respect-grace-period || log "set-instance-health failed"
    sleep 120
  fi
  shutdown -h now
}
on_exit() {
  status=$?
  if [ "$status" -ne 0 ]; then
    log "boot failed with status $status"
    give_up
  fi
}
trap on_exit EXIT

retry() {
  local attempt delay=5
  for attempt in 1 2 3 4 5; do
    if "$@"; then return 0; fi
    log "attempt $attempt failed: $1" >&2
    if [ "$attempt" -lt 5 ]; then sleep "$delay"; fi
    delay=$((delay * 2))
  done
  return 1
}

instance_id() {
  local token
  token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token) &&
    curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id
}

fleet_secret() {
  aws ssm get-parameter --name "$fleet_secret_parameter" --with-decryption --query Parameter.Value --output text
}

# Only a parameter that is not there means "no bundle"; any other failure is a failure.
active_bundle() {
  local value errors
  errors=$(mktemp)
  if value=$(aws ssm get-parameter --name "$active_bundle_parameter" --query Parameter.Value --output text 2>"$errors"); then
    rm -f "$errors"
    printf '%s' "$value"
    return 0
  fi
  if grep -q ParameterNotFound "$errors"; then
    rm -f "$errors"
    printf none
    return 0
  fi
  cat "$errors" >&2
  rm -f "$errors"
  return 1
}

install_bundle() {
  local bundle baked=
  bundle=$(retry active_bundle)
  bundle=${bundle%/}
  if [ -z "$bundle" ] || [ "$bundle" = none ]; then
    log "no active bundle"
    return 0
  fi
  if [ -f /opt/comfyui/.baked_bundle_id ]; then baked=$(tr -d '[:space:]' </opt/comfyui/.baked_bundle_id); fi
  if [ "${bundle##*/}" = "$baked" ]; then
    log "bundle $baked is baked into the image"
    return 0
  fi
  if [ ! -x /opt/comfyui/bin/apply-bundle.sh ]; then
    log "bundle $bundle is active, but the image has no /opt/comfyui/bin/apply-bundle.sh"
    return 0
  fi
  log "installing $bundle"
  # What it says is in this log already. The limit is Run Command's: a worker
  # that is still downloading then is billed for nothing.
  MODELS_BUCKET="$models_bucket" BUNDLE_PREFIX="$bundle" ASSET_SYNC_LOG='' \
    timeout --kill-after=60 21600 /opt/comfyui/bin/apply-bundle.sh
}

wait_for_comfyui() {
  local attempt
  for attempt in $(seq 60); do
    if curl -fsS -m 5 -o /dev/null http://127.0.0.1:8188/system_stats 2>/dev/null; then
      log "ComfyUI answers after $attempt attempts"
      return 0
    fi
    sleep 5
  done
  log "ComfyUI does not answer"
  return 1
}

write_environment() {
  local file=/opt/worker/env.new
  install -m 600 -o ubuntu -g ubuntu /dev/null "$file"
  # A builtin, not a here-document: bash may keep that in a file, and this has the secret.
  printf '%s\n' \
    "API_BASE_URL=$api_base_url" \
    "WORKER_ID=$instance" \
    "FLEET_SECRET=$secret" \
    "FLEET_SLUG=$slug" \
    "FLEET_STAGE=$stage" \
    "ASG_NAME=$group" \
    "AWS_REGION=$region" \
    "AWS_DEFAULT_REGION=$region" \
    COMFYUI_BASE_URL=http://127.0.0.1:8188 \
    POLL_INTERVAL_SECONDS=3 \
    HEARTBEAT_INTERVAL_SECONDS=30 \
    MAX_CONCURRENCY=1 >"$file"
  mv -f "$file" /opt/worker/env
}

# Sends this log and the journal of the two units to the fleet's log group, when
# the image has the CloudWatch agent. Logs never keep a worker from starting.
ship_logs() {
  local ctl=/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
  local config=/opt/aws/amazon-cloudwatch-agent/etc/gpu-worker.json
  if [ ! -x "$ctl" ]; then
    log "no CloudWatch agent on this image: logs stay on the instance"
    return 0
  fi
  systemd-run --unit=gpu-worker-journal --property=Restart=always \
    /bin/sh -c 'exec journalctl --follow --lines=all --output=short-iso --unit=comfyui.service --unit=comfyui-worker.service >>/var/log/gpu-worker.log'
  cat >"$config" <<AGENT
{"logs":{"logs_collected":{"files":{"collect_list":[
{"file_path":"/var/log/comfyui-asset-sync.log","log_group_name":"$log_group","log_stream_name":"$stage/$instance/boot"},
{"file_path":"/var/log/gpu-worker.log","log_group_name":"$log_group","log_stream_name":"$stage/$instance/worker"}]}}}}
AGENT
  "$ctl" -a fetch-config -m ec2 -s -c "file:$config"
}

instance=$(retry instance_id)
log "worker $instance of $stage/$slug"
secret=$(retry fleet_secret)
case "$secret" in
'' | *[![:graph:]]*)
  log "the fleet secret is empty or has white space"
  exit 1
  ;;
esac
ship_logs || log "the CloudWatch agent did not start"
install_bundle
systemctl stop comfyui-worker.service || true
systemctl start comfyui.service
wait_for_comfyui
write_environment
systemctl restart comfyui-worker.service
sleep 10
systemctl is-active --quiet comfyui-worker.service
log "worker is running"
