# TestAccKinesisAnalyticsV2Application_CloudWatchLoggingOptions_delete: by calls of their own, or of the update's.
resource "aws_kinesisanalyticsv2_application" "logging_delete" {
  name                   = "${var.name}-logging_delete"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn

  cloudwatch_logging_options {
    log_stream_arn = aws_cloudwatch_log_stream.logs[0].arn
  }
}

check "logging_delete" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.logging_delete.version_id == 1
    error_message = "logging_delete: version"
  }
  assert {
    condition     = jsonencode(aws_kinesisanalyticsv2_application.logging_delete.cloudwatch_logging_options[*].log_stream_arn) == jsonencode([aws_cloudwatch_log_stream.logs[0].arn])
    error_message = "logging_delete: where to"
  }
}
