#!/usr/bin/env bash
# ComfyUI at one revision, in a virtual environment of Python 3.11.
set -euo pipefail

root=/opt/comfyui

apt-get install -yq --no-install-recommends git python3 python3.11 python3.11-venv python3.11-dev build-essential libgl1 libglib2.0-0 ffmpeg
git init -q "$root"
git -C "$root" remote add origin "$COMFYUI_REPOSITORY"
if ! git -C "$root" fetch -q --depth 1 origin "$COMFYUI_REVISION"; then
  printf 'packer: %s has no revision %s; comfyui_revision is a tag or a full commit\n' "$COMFYUI_REPOSITORY" "$COMFYUI_REVISION" >&2
  exit 1
fi
git -C "$root" checkout -q --detach FETCH_HEAD

python3.11 -m venv "$root/venv"
# shellcheck disable=SC2086 # a list of packages
"$root/venv/bin/pip" install -q --no-cache-dir --index-url https://download.pytorch.org/whl/cu124 $PYTORCH_PACKAGES
"$root/venv/bin/pip" freeze | grep -E '^(torch|torchvision|torchaudio)==' >"$root/venv/constraints.txt"
# ComfyUI asks for any PyTorch: the constraints keep the one for CUDA 12.4.
"$root/venv/bin/pip" install -q --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cu124 \
  -c "$root/venv/constraints.txt" -r "$root/requirements.txt"
"$root/venv/bin/python" -c 'import torch; assert torch.cuda.is_available(), "PyTorch sees no GPU"; print(torch.__version__, torch.version.cuda)'

mkdir -p "$root"/models/{checkpoints,loras,vae,embeddings,controlnet,other} "$root/custom_nodes" "$root/bin"
chown -R "$WORKER_USER:$WORKER_USER" "$root"

cat >/etc/systemd/system/comfyui.service <<UNIT
[Unit]
Description=ComfyUI
After=network-online.target
Wants=network-online.target

[Service]
User=$WORKER_USER
WorkingDirectory=$root
Environment=COMFYUI_LISTEN=127.0.0.1
ExecStart=$root/venv/bin/python $root/main.py --listen \${COMFYUI_LISTEN} --port 8188 --disable-auto-launch
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
