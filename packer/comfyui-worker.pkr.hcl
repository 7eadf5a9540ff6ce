# The image of a GPU worker. plugins.pkr.hcl names the plugins.
#
#   packer init packer && packer build -var worker_path=../worker packer
#
# Nothing starts by itself on the image: the user data of the fleet brings the
# bundle first, then starts comfyui.service and comfyui-worker.service.

locals {
  built = timestamp()
  name  = "bp-comfyui-${var.fleet_slug}-${formatdate("YYYYMMDDhhmmss", local.built)}"

  # What two images are compared by.
  lineage = {
    NvidiaDriver    = var.nvidia_driver
    CudaVersion     = var.cuda_version
    ComfyUIRevision = var.comfyui_revision
    BundleId        = var.bundle_id == "" ? "none" : var.bundle_id
    SpecRevision    = var.spec_revision
  }

  tags = merge(local.lineage, {
    Name      = local.name
    FleetSlug = var.fleet_slug
    BuildTime = local.built
    ManagedBy = "packer"
  })
}

source "amazon-ebs" "comfyui" {
  region               = var.aws_region
  instance_type        = var.instance_type
  iam_instance_profile = var.packer_instance_profile
  ssh_username         = var.ssh_username

  ami_name        = local.name
  ami_description = "ComfyUI worker of fleet ${var.fleet_slug}"
  tags            = local.tags
  snapshot_tags   = local.tags
  run_tags        = { Name = "packer-${local.name}", FleetSlug = var.fleet_slug, ManagedBy = "packer" }
  run_volume_tags = { Name = "packer-${local.name}", FleetSlug = var.fleet_slug, ManagedBy = "packer" }

  source_ami_filter {
    filters = {
      name                = var.source_ami_filter_name
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    owners      = [var.source_ami_owner]
    most_recent = true
  }

  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_size           = 100
    volume_type           = "gp3"
    throughput            = 125
    iops                  = 3000
    encrypted             = true
    delete_on_termination = true
  }

  # Snapshots of 100 GiB take longer than the plugin waits by itself.
  aws_polling {
    delay_seconds = 15
    max_attempts  = 480
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

build {
  sources = ["source.amazon-ebs.comfyui"]

  provisioner "shell-local" {
    inline = ["bash '${path.root}/scripts/00-check.sh'"]
    environment_vars = [
      "WORKER_PATH=${var.worker_path}",
      "BUNDLE_ID=${var.bundle_id}",
      "MODELS_BUCKET=${var.models_s3_bucket}",
      "BUNDLE_PREFIX=${var.models_s3_prefix}",
      "INSTANCE_PROFILE=${var.packer_instance_profile}",
    ]
  }

  provisioner "shell" {
    inline = [
      "cloud-init status --wait",
      "sudo install -d -o ${var.ssh_username} /var/lib/packer-upload /var/lib/packer-upload/worker",
    ]
  }

  provisioner "file" {
    source      = "${path.root}/scripts/"
    destination = "/var/lib/packer-upload/"
  }

  provisioner "file" {
    source      = "${var.worker_path}/"
    destination = "/var/lib/packer-upload/worker/"
  }

  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = [
      "DEBIAN_FRONTEND=noninteractive",
      "NVIDIA_DRIVER=${var.nvidia_driver}",
      "CUDA_VERSION=${var.cuda_version}",
      "COMFYUI_REPOSITORY=${var.comfyui_repository}",
      "COMFYUI_REVISION=${var.comfyui_revision}",
      "PYTORCH_PACKAGES=${var.pytorch_packages}",
      "WORKER_USER=${var.ssh_username}",
      "AWS_REGION=${var.aws_region}",
      "BUNDLE_ID=${var.bundle_id}",
      "MODELS_BUCKET=${var.models_s3_bucket}",
      "BUNDLE_PREFIX=${var.models_s3_prefix}",
    ]
    scripts = [
      "${path.root}/scripts/10-nvidia.sh",
      "${path.root}/scripts/20-comfyui.sh",
      "${path.root}/scripts/30-worker.sh",
      "${path.root}/scripts/40-cloudwatch-agent.sh",
      "${path.root}/scripts/50-apply-bundle.sh",
      "${path.root}/scripts/60-bake.sh",
      "${path.root}/scripts/90-clean.sh",
    ]
  }

  post-processor "manifest" {
    output      = var.manifest_file
    custom_data = local.lineage
  }
}
