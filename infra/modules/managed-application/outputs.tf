output "name" {
  description = "Name of the application."
  value       = var.name
}

output "arn" {
  description = "ARN that the application has, or will have."
  value       = local.application_arn
  depends_on  = [aws_kinesisanalyticsv2_application.this]
}

# No status and no version: what the provider keeps of them is of before the last update, and would show in every plan.

output "kpus" {
  description = "KPUs that are paid for: those of the TaskManagers, and one."
  value       = local.kpus + 1
}

output "bucket" {
  description = "Bucket of the code."
  value       = local.bucket
}

output "code_version" {
  description = "S3 version of the code."
  value       = local.code_version
}

output "role_arn" {
  description = "ARN of the role that the application works with."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Name of the role, to attach more policies to."
  value       = aws_iam_role.this.name
}

output "log_group" {
  description = "Log group of the application."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_stream_arn" {
  description = "ARN of the log stream."
  value       = aws_cloudwatch_log_stream.this.arn
}

output "snapshot_copies" {
  description = "What `snapshots` of scurry's target is to say, as JSON; null without snapshot_copies."
  value = var.snapshot_copies == null ? null : jsonencode({
    export = "s3://${local.copies_bucket}/${var.snapshot_copies.prefix}"
    role   = aws_iam_role.copies[0].arn
  })
}
