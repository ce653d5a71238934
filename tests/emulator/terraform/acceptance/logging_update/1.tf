# TestAccKinesisAnalyticsV2Application_CloudWatchLoggingOptions_update: by calls of their own, or of the update's.
resource "aws_kinesisanalyticsv2_application" "logging_update" {
  name                   = "${var.name}-logging_update"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn

  cloudwatch_logging_options {
    log_stream_arn = aws_cloudwatch_log_stream.logs[0].arn
  }
}

check "logging_update" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.logging_update.version_id == 1
    error_message = "logging_update: version"
  }
  assert {
    condition     = jsonencode(aws_kinesisanalyticsv2_application.logging_update.cloudwatch_logging_options[*].log_stream_arn) == jsonencode([aws_cloudwatch_log_stream.logs[0].arn])
    error_message = "logging_update: where to"
  }
}
