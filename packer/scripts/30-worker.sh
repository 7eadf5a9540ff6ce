#!/usr/bin/env bash
# The worker, from the folder that Packer was given.
set -euo pipefail

source=/var/lib/packer-upload/worker
root=/opt/worker

if [ ! -f "$source/worker.py" ]; then
  printf 'packer: worker_path has no worker.py: the worker program is not part of this repository; build with -var worker_path=FOLDER\n' >&2
  exit 1
fi
mkdir -p "$root/app"
cp -R "$source/." "$root/app/"
# Secrets come at boot, into /opt/worker/env alone.
find "$root/app" \( -name .env -o -name '.env.*' -o -name .git \) -prune -exec rm -rf {} +

python3.11 -m venv "$root/venv"
if [ -f "$root/app/requirements.txt" ]; then
  "$root/venv/bin/pip" install -q --no-cache-dir -r "$root/app/requirements.txt"
fi
"$root/venv/bin/python" -m compileall -q "$root/app"
chown -R root:root "$root"
chmod -R go-w "$root"

cat >/etc/systemd/system/comfyui-worker.service <<UNIT
[Unit]
Description=ComfyUI worker
After=comfyui.service
ConditionPathExists=$root/env

[Service]
User=$WORKER_USER
WorkingDirectory=$root/app
EnvironmentFile=$root/env
ExecStart=$root/venv/bin/python $root/app/worker.py
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
