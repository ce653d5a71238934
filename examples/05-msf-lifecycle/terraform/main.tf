# The application as teams write it in plain Terraform: a bucket, the jar in it, a role, and the application.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

# For the emulator. On AWS an empty block will do.
provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
  max_retries                 = 2 # by itself it tries 25 times, for many minutes, before it tells of a quota
}

variable "name" { default = "totals-by-terraform" }
variable "jar" { description = "Path of the jar" }
variable "output" { description = "File that the application writes its totals to" }
variable "runtime" { default = "FLINK-1_19" }
variable "parallelism" { default = 1 }
variable "log_level" { default = "INFO" }
variable "start" { default = true }
variable "force_stop" { default = false }
variable "snapshot" {
  description = "Snapshot to start from; none: what the service does by itself"
  default     = null
}
variable "allow_non_restored_state" {
  type    = bool
  default = null
}

resource "aws_s3_bucket" "code" {
  bucket        = var.name
  force_destroy = true
}

resource "aws_s3_object" "jar" {
  bucket = aws_s3_bucket.code.id
  key    = "${filesha256(var.jar)}.jar" # another name for each build: under the same one, the service would not look again
  source = var.jar
}

resource "aws_iam_role" "service" {
  name = var.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "kinesisanalytics.amazonaws.com" } }]
  })
}

resource "aws_kinesisanalyticsv2_application" "totals" {
  name                   = var.name
  runtime_environment    = var.runtime
  service_execution_role = aws_iam_role.service.arn
  start_application      = var.start
  force_stop             = var.force_stop

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE"
      code_content {
        s3_content_location {
          bucket_arn = aws_s3_bucket.code.arn
          file_key   = aws_s3_object.jar.key
        }
      }
    }

    environment_properties {
      property_group {
        property_group_id = "Totals"
        property_map      = { output = var.output }
      }
    }

    flink_application_configuration {
      checkpoint_configuration {
        configuration_type            = "CUSTOM"
        checkpointing_enabled         = true
        checkpoint_interval           = 1000
        min_pause_between_checkpoints = 0
      }
      monitoring_configuration {
        configuration_type = "CUSTOM"
        log_level          = var.log_level
        metrics_level      = "APPLICATION"
      }
      parallelism_configuration {
        configuration_type   = "CUSTOM"
        auto_scaling_enabled = false
        parallelism          = var.parallelism
        parallelism_per_kpu  = 1
      }
    }

    dynamic "run_configuration" {
      for_each = var.snapshot == null && var.allow_non_restored_state == null ? [] : [1]
      content {
        application_restore_configuration {
          application_restore_type = var.snapshot == null ? "RESTORE_FROM_LATEST_SNAPSHOT" : "RESTORE_FROM_CUSTOM_SNAPSHOT"
          snapshot_name            = var.snapshot
        }
        flink_run_configuration {
          allow_non_restored_state = coalesce(var.allow_non_restored_state, false)
        }
      }
    }
  }
}
