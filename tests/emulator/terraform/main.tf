terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" { type = string }
variable "jar" { type = string }
variable "counts" { type = string }
variable "colour" { default = "blue" }
variable "start" { default = true }
variable "force_stop" { default = false }
variable "snapshot" { default = false }

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
}

resource "aws_s3_bucket" "code" {
  bucket        = var.name
  force_destroy = true
}

resource "aws_s3_object" "code" {
  bucket = aws_s3_bucket.code.id
  key    = "job.jar"
  source = var.jar
}

resource "aws_iam_role" "service" {
  name = var.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "kinesisanalytics.amazonaws.com" } }]
  })
}

resource "aws_kinesisanalyticsv2_application" "job" {
  name                   = var.name
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service.arn
  start_application      = var.start
  force_stop             = var.force_stop

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE"
      code_content {
        s3_content_location {
          bucket_arn = aws_s3_bucket.code.arn
          file_key   = aws_s3_object.code.key
        }
      }
    }
    environment_properties {
      property_group {
        property_group_id = "Job"
        property_map      = { counts = var.counts, colour = var.colour }
      }
    }
  }
  tags = { team = "data" }
}

resource "aws_kinesisanalyticsv2_application_snapshot" "kept" {
  count            = var.snapshot ? 1 : 0
  application_name = aws_kinesisanalyticsv2_application.job.name
  snapshot_name    = "kept"
}
