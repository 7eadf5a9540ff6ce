# The first ten are a contract with whoever runs the build.

variable "fleet_slug" {
  type        = string
  default     = "gpu-default"
  description = "Fleet that the image is for; in its name and tags."
}

variable "aws_region" {
  type        = string
  default     = "us-east-1"
  description = "Region to build in."
}

variable "source_ami_filter_name" {
  type        = string
  default     = "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*"
  description = "Name of the image to start from; the newest match is taken."
}

variable "source_ami_owner" {
  type        = string
  default     = "099720109477"
  description = "Account that owns the image to start from: Canonical."
}

variable "instance_type" {
  type        = string
  default     = "g4dn.xlarge"
  description = "Type to build on. It needs an NVIDIA GPU: the driver is loaded and asked."
}

variable "ssh_username" {
  type        = string
  default     = "ubuntu"
  description = "User of the image to start from."
}

variable "models_s3_bucket" {
  type        = string
  default     = ""
  description = "Models bucket, /bp/models/bucket. Needed when bundle_id is set."
}

variable "models_s3_prefix" {
  type        = string
  default     = ""
  description = "bundles/ID, the fleet's active_bundle. Needed when bundle_id is set."
}

variable "bundle_id" {
  type        = string
  default     = ""
  description = "Bundle to bake into the image; empty: none."
}

variable "packer_instance_profile" {
  type        = string
  default     = ""
  description = "Instance profile of the builder, /bp/packer/instance_profile. Needed when bundle_id is set: the installer reads S3 with it."
}

variable "worker_path" {
  type        = string
  default     = ""
  description = "Folder with the worker program, which is not part of this repository: worker.py, and requirements.txt where it needs packages."

  validation {
    condition     = length(var.worker_path) > 0
    error_message = "The worker program is not part of this repository: build with -var worker_path=FOLDER, a folder with worker.py."
  }
}

variable "comfyui_repository" {
  type        = string
  default     = "https://github.com/comfyanonymous/ComfyUI.git"
  description = "Git repository of ComfyUI."
}

variable "comfyui_revision" {
  type        = string
  default     = "v0.3.40"
  description = "Tag or full commit of ComfyUI. The commit that it means is written into the image."
}

variable "pytorch_packages" {
  type        = string
  default     = "torch==2.6.0 torchvision==0.21.0 torchaudio==2.6.0"
  description = "Packages of PyTorch, from its index for CUDA 12.4; 2.6 is the last that has one."
}

variable "nvidia_driver" {
  type        = string
  default     = "550-server"
  description = "Branch of Ubuntu's NVIDIA driver packages."
}

variable "cuda_version" {
  type        = string
  default     = "12.4"
  description = "CUDA toolkit."
}

variable "spec_revision" {
  type        = string
  default     = "unknown"
  description = "Git revision of the specs that the build was started from."
}

variable "manifest_file" {
  type        = string
  default     = "packer-manifest.json"
  description = "Where Packer writes the id and lineage of the image."
}
