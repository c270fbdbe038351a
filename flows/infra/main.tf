# A small network that exists only in the state: terraform_data needs no provider, no account and no internet.

terraform {
  required_version = ">= 1.4"
}

locals {
  zones = ["a", "b"]
}

resource "terraform_data" "vpc" {
  input = {
    name = "${var.environment}-vpc"
    cidr = var.cidr
  }
}

resource "terraform_data" "subnet" {
  for_each = toset(local.zones)

  input = {
    vpc  = terraform_data.vpc.id
    name = "${var.environment}-subnet-${each.key}"
    cidr = cidrsubnet(var.cidr, 8, index(local.zones, each.key))
  }
}

resource "terraform_data" "database" {
  input = {
    subnets  = [for zone in local.zones : terraform_data.subnet[zone].id]
    size     = var.database_size
    password = var.database_password
  }

  lifecycle {
    precondition {
      condition     = length(var.database_password) >= 12
      error_message = "The database password must have at least 12 characters."
    }
  }
}
