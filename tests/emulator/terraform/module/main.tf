# The module as a project calls it: every variable that a test sets is handed on.
provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}

module "application" {
  source = "MODULE"

  name                = var.name
  owner               = var.owner
  description         = var.description
  runtime_environment = var.runtime_environment
  code_file           = var.code_file
  code_key            = var.code_key
  start               = var.start
  restore             = var.restore
  snapshots_enabled   = var.snapshots_enabled
  snapshot_copies     = var.snapshot_copies
  parallelism         = var.parallelism
  checkpoints         = var.checkpoints
  monitoring          = var.monitoring
  properties          = var.properties
  vpc                 = var.vpc
  policy_json         = var.policy_json
  tags                = var.tags
  force_destroy       = true
  tls_only            = false
}

variable "name" { type = string }
variable "description" { default = null }
variable "code_file" { default = null }
variable "code_key" { default = null }
variable "restore" {
  type    = any
  default = null
}
variable "vpc" {
  type    = any
  default = null
}
variable "owner" { default = "terraform" }
variable "runtime_environment" { default = "FLINK-1_20" }
variable "start" { default = true }
variable "snapshots_enabled" { default = true }
variable "snapshot_copies" {
  type    = any
  default = null
}
variable "parallelism" {
  type    = any
  default = {}
}
variable "checkpoints" {
  type    = any
  default = {}
}
variable "monitoring" {
  type    = any
  default = {}
}
variable "properties" {
  type    = any
  default = {}
}
variable "policy_json" {
  type    = any
  default = {}
}
variable "tags" {
  type    = any
  default = {}
}

output "kpus" { value = module.application.kpus }

output "bucket" { value = module.application.bucket }

output "code_version" { value = module.application.code_version }

output "role_name" { value = module.application.role_name }

output "snapshot_copies" { value = module.application.snapshot_copies }
