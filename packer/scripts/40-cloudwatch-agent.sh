#!/usr/bin/env bash
# The CloudWatch agent and the AWS CLI. The user data configures the agent: only
# at boot is it known into which streams of /gpu-workers/SLUG it writes.
set -euo pipefail

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/verify-CloudWatch-Agent-Package-Signature.html
fingerprint=937616F3450B7D806CBD9725D58167303B789C72
base=https://amazoncloudwatch-agent-$AWS_REGION.s3.$AWS_REGION.amazonaws.com

apt-get install -yq --no-install-recommends awscli
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -fsSL --retry 5 -o "$work/key" https://amazoncloudwatch-agent.s3.amazonaws.com/assets/amazon-cloudwatch-agent.gpg
for name in amazon-cloudwatch-agent.deb amazon-cloudwatch-agent.deb.sig; do
  curl -fsSL --retry 5 -o "$work/$name" "$base/ubuntu/amd64/latest/$name"
done
found=$(gpg --homedir "$work" --show-keys --with-colons "$work/key" | awk -F: '$1 == "fpr" {print $10; exit}')
if [ "$found" != "$fingerprint" ]; then
  printf 'packer: the key of the CloudWatch agent is %s, not %s\n' "$found" "$fingerprint" >&2
  exit 1
fi
gpg --homedir "$work" --import "$work/key"
gpg --homedir "$work" --verify "$work/amazon-cloudwatch-agent.deb.sig" "$work/amazon-cloudwatch-agent.deb"
dpkg -i -E "$work/amazon-cloudwatch-agent.deb"
test -x /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
