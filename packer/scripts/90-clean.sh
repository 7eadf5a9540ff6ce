#!/usr/bin/env bash
# Leaves nothing of the builder on the image: no keys, no logs, no identity.
set -euo pipefail

systemctl disable comfyui.service comfyui-worker.service 2>/dev/null || true
rm -rf /tmp/packer /opt/worker/env /root/.aws "/home/$WORKER_USER/.aws" /root/.cache "/home/$WORKER_USER/.cache"
rm -f /var/log/comfyui-asset-sync.log /etc/ssh/ssh_host_* /root/.ssh/authorized_keys "/home/$WORKER_USER/.ssh/authorized_keys"
rm -f /root/.bash_history "/home/$WORKER_USER/.bash_history" /opt/aws/amazon-cloudwatch-agent/etc/gpu-worker.json
apt-get clean
rm -rf /var/lib/apt/lists/*
journalctl --rotate
journalctl --vacuum-time=1s
find /var/log -type f -exec truncate -s 0 {} +
cloud-init clean --logs
truncate -s 0 /etc/machine-id
sync
