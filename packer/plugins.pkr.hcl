# Apart from the rest, because packer before 1.7 (Debian's) does not know
# required_plugins; `packer init .` reads it.
packer {
  required_version = ">= 1.7.0"

  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.3"
    }
  }
}
