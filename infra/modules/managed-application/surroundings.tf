# What an application needs: a bucket for its code, a role that may read it and write logs, and the place for the logs.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.name
  tags      = merge(var.tags, { "scurry-owner" = var.owner })

  makes_bucket = var.bucket == null
  bucket       = local.makes_bucket ? aws_s3_bucket.code[0].id : var.bucket
  bucket_arn   = "arn:${local.partition}:s3:::${local.bucket}"
  # Names of applications may have capitals and underscores; those of buckets are the whole world's.
  bucket_name = "${trim(substr(replace(lower(var.name), "/[^a-z0-9-]+/", "-"), 0, 40), "-")}-code-${local.account}"
  code_key    = var.code_file == null ? var.code_key : coalesce(var.code_key, "code/${basename(var.code_file)}")
  # The version is part of the configuration: an earlier one of the application finds its own code again.
  code_version = var.code_file == null ? var.code_version : aws_s3_object.code[0].version_id

  application_arn = "arn:${local.partition}:kinesisanalytics:${local.region}:${local.account}:application/${var.name}"
}

# Code ----------------------------------------------------------------------------------------------------------------

resource "aws_s3_bucket" "code" {
  count = local.makes_bucket ? 1 : 0

  bucket        = local.bucket_name
  force_destroy = var.force_destroy
  tags          = local.tags
}

# Nothing here lets versions expire: rolling back needs them.
resource "aws_s3_bucket_versioning" "code" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.code[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "code" {
  count = local.makes_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.code[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "code" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.code[0].id
  rule {
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket_arn, "${local.bucket_arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "code" {
  count = local.makes_bucket && var.tls_only ? 1 : 0

  bucket     = aws_s3_bucket.code[0].id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.code]
}

resource "aws_s3_object" "code" {
  count = var.code_file == null ? 0 : 1

  bucket      = local.bucket
  key         = local.code_key
  source      = var.code_file
  source_hash = filesha256(var.code_file)
  tags        = local.tags
  # Without versions a new upload would take the code away from the application that runs.
  depends_on = [aws_s3_bucket_versioning.code, aws_s3_bucket_server_side_encryption_configuration.code]
}

# Logs ----------------------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/kinesis-analytics/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_cloudwatch_log_stream" "this" {
  name           = "kinesis-analytics-log-stream"
  log_group_name = aws_cloudwatch_log_group.this.name
}

# Role ----------------------------------------------------------------------------------------------------------------

# Only this application of this account may be given the role ("confused deputy" in the service's guide).
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["kinesisanalytics.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.application_arn]
    }
  }
}

resource "aws_iam_role" "this" {
  name_prefix          = "${substr(var.name, 0, 36)}-"
  description          = "What the application ${var.name} may do"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags
}

data "aws_iam_policy_document" "service" {
  statement {
    sid       = "ReadCode"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = [var.owner == "scurry" ? "${local.bucket_arn}/*" : "${local.bucket_arn}/${coalesce(local.code_key, "*")}"]
  }
  statement {
    sid       = "FindLogs"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*"]
  }
  statement {
    sid       = "FindLogStreams"
    actions   = ["logs:DescribeLogStreams"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${aws_cloudwatch_log_group.this.name}:log-stream:*"]
  }
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:PutLogEvents"]
    resources = [aws_cloudwatch_log_stream.this.arn]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      sid       = "DecryptCode"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
  # From "Example: VPC permissions" of the service's guide; describing knows no resources.
  dynamic "statement" {
    for_each = var.vpc == null ? [] : [var.vpc]
    content {
      sid = "LookAtVpc"
      actions = [
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ]
      resources = ["*"]
    }
  }
  dynamic "statement" {
    for_each = var.vpc == null ? [] : [var.vpc]
    content {
      sid     = "JoinVpc"
      actions = ["ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"]
      resources = concat(
        ["arn:${local.partition}:ec2:${local.region}:${local.account}:network-interface/*"],
        [for id in statement.value.subnet_ids : "arn:${local.partition}:ec2:${local.region}:*:subnet/${id}"],
        [for id in statement.value.security_group_ids : "arn:${local.partition}:ec2:${local.region}:*:security-group/${id}"],
      )
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "service"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.service.json
}

resource "aws_iam_role_policy" "code_needs" {
  for_each = var.policy_json

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}
