# Copies of enhanced snapshots: the role under which the service writes them. Another one than the application's, which
# only the application may be given.

locals {
  copies_bucket = var.snapshot_copies == null ? null : coalesce(var.snapshot_copies.bucket, local.bucket)
  copies_arn    = var.snapshot_copies == null ? null : "arn:${local.partition}:s3:::${local.copies_bucket}"
}

data "aws_iam_policy_document" "copies_trust" {
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
  }
}

resource "aws_iam_role" "copies" {
  count = var.snapshot_copies == null ? 0 : 1

  name_prefix          = "${substr(var.name, 0, 27)}-snapshots-"
  description          = "Writes copies of snapshots of the application ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.copies_trust.json
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags
}

data "aws_iam_policy_document" "copies" {
  count = var.snapshot_copies == null ? 0 : 1

  statement {
    sid       = "WriteCopies"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${local.copies_arn}/${var.snapshot_copies.prefix}*"]
  }
  statement {
    sid       = "FindBucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [local.copies_arn]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      sid       = "EncryptCopies"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "copies" {
  count = var.snapshot_copies == null ? 0 : 1

  name   = "copies"
  role   = aws_iam_role.copies[0].id
  policy = data.aws_iam_policy_document.copies[0].json
}
