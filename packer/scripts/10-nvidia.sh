#!/usr/bin/env bash
# Ubuntu's NVIDIA driver and NVIDIA's CUDA toolkit.
set -euo pipefail

# Of NVIDIA's repository for CUDA.
fingerprint=EB693B3035CD5710E231E123A4B469963BF863CC
repository=https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64

# shellcheck source=/dev/null
. /etc/os-release
if [ "$ID $VERSION_ID" != "ubuntu 22.04" ]; then
  printf 'packer: the image to start from is %s %s; the driver and CUDA here are for Ubuntu 22.04\n' "$ID" "$VERSION_ID" >&2
  exit 1
fi

apt-get update -q
apt-get install -yq --no-install-recommends ca-certificates curl gnupg linux-headers-aws
apt-get install -yq --no-install-recommends "nvidia-driver-$NVIDIA_DRIVER"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -fsSL --retry 5 -o "$work/key" "$repository/3bf863cc.pub"
found=$(gpg --homedir "$work" --show-keys --with-colons "$work/key" | awk -F: '$1 == "fpr" {print $10; exit}')
if [ "$found" != "$fingerprint" ]; then
  printf 'packer: the key of %s is %s, not %s\n' "$repository" "$found" "$fingerprint" >&2
  exit 1
fi
gpg --homedir "$work" --dearmor <"$work/key" >/usr/share/keyrings/nvidia-cuda.gpg
printf 'deb [signed-by=/usr/share/keyrings/nvidia-cuda.gpg] %s /\n' "$repository" >/etc/apt/sources.list.d/nvidia-cuda.list
# NVIDIA's repository has drivers too: Ubuntu's stays.
printf 'Package: nvidia-* libnvidia-* xserver-xorg-video-nvidia-*\nPin: origin developer.download.nvidia.com\nPin-Priority: -1\n' \
  >/etc/apt/preferences.d/nvidia-cuda
apt-get update -q
apt-get install -yq --no-install-recommends "cuda-toolkit-${CUDA_VERSION/./-}"

# The builder has a GPU: what cannot be loaded here would fail on every worker.
modprobe nvidia
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
case "$driver" in
"${NVIDIA_DRIVER%%-*}".*) printf 'driver %s\n' "$driver" ;;
*)
  printf 'packer: the driver is %s, not %s\n' "${driver:-missing}" "$NVIDIA_DRIVER" >&2
  exit 1
  ;;
esac
