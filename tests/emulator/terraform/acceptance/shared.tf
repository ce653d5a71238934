# What all cases use.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
}

variable "name" { type = string }
variable "jar" { type = string }
variable "counts" { type = string }

resource "aws_s3_bucket" "code" {
  bucket        = var.name
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "code" {
  bucket = aws_s3_bucket.code.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_object" "code" {
  count = 2

  bucket  = aws_s3_bucket_versioning.code.bucket
  key     = "code-${count.index}.zip"
  content = "PK"
}

resource "aws_s3_object" "jar" {
  bucket = aws_s3_bucket_versioning.code.bucket
  key    = "job.jar"
  source = var.jar
}

resource "aws_iam_role" "service" {
  count = 2

  name = "${var.name}-${count.index}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "kinesisanalytics.amazonaws.com" } }]
  })
}

resource "aws_cloudwatch_log_group" "logs" {
  name = var.name
}

resource "aws_cloudwatch_log_stream" "logs" {
  count = 2

  name           = "stream-${count.index}"
  log_group_name = aws_cloudwatch_log_group.logs.name
}
