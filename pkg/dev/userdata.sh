#!/bin/bash
# First boot of a dev instance: a time limit, then ComfyUI for the network.
set -euo pipefail

units=/etc/systemd/system

# The limit comes first: whatever fails below, the instance does not run for ever.
# A timer holds it for every boot; this script runs at the first one alone.
cat >"$units/dev-shutdown.service" <<'UNIT'
[Unit]
Description=Stop this dev instance in 30 minutes

[Service]
Type=oneshot
ExecStart=/sbin/shutdown -P +30 "This dev instance has run for its time and stops in 30 minutes; what is on its disk stays until dev stop."
UNIT
cat >"$units/dev-shutdown.timer" <<'UNIT'
[Unit]
Description=Time limit of this dev instance

[Timer]
OnBootSec=@MINUTES@min
AccuracySec=1s

[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl enable --now dev-shutdown.timer

# A dev instance takes no jobs. The condition holds where disabling alone does not:
# applying a bundle restarts the worker. A unit in /etc cannot be masked.
mkdir -p "$units/comfyui-worker.service.d"
cat >"$units/comfyui-worker.service.d/dev.conf" <<'UNIT'
[Unit]
ConditionPathExists=!/etc/systemd/system/dev-shutdown.timer
UNIT
systemctl daemon-reload
systemctl disable --now comfyui-worker.service || true

# ComfyUI takes the last of options that are given twice, so its own command line
# is kept and ours goes behind it.
command="$(systemctl cat comfyui.service | sed -n 's/^ExecStart=\(..*\)$/\1/p' | tail -n 1)"
case "$command" in
  *[\"\'\\]*) plain="" ;;
  *main.py*) plain=yes ;;
  *) plain="" ;;
esac
if [ -z "$plain" ]; then
  echo "dev instance: ExecStart of comfyui.service is no plain line with main.py ($command), so ComfyUI listens as the image has it" >&2
  exit 1
fi
mkdir -p "$units/comfyui.service.d"
cat >"$units/comfyui.service.d/dev.conf" <<UNIT
[Service]
ExecStart=
ExecStart=$command --listen 0.0.0.0 --port 8188
UNIT
systemctl daemon-reload
systemctl restart comfyui.service
