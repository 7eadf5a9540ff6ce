#!/usr/bin/env bash
# Leaves nothing of the builder on the image: no keys, no logs, no identity.
set -euo pipefail

systemctl disable comfyui.service comfyui-worker.service 2>/dev/null || true
rm -rf /var/lib/packer-upload /opt/worker/env /opt/aws/amazon-cloudwatch-agent/etc/gpu-worker.json
rm -f /var/log/comfyui-asset-sync.log /etc/ssh/ssh_host_*
for home in /root "/home/$WORKER_USER"; do
  rm -rf "$home/.aws" "$home/.cache" "$home/.bash_history" "$home/.ssh/authorized_keys"
done
apt-get clean
rm -rf /var/lib/apt/lists/*
journalctl --rotate
journalctl --vacuum-time=1s
find /var/log -type f -exec truncate -s 0 {} +
cloud-init clean --logs
truncate -s 0 /etc/machine-id
sync
