# TestAccKinesisAnalyticsV2Application_CloudWatchLoggingOptions_add: by calls of their own, or of the update's.
resource "aws_kinesisanalyticsv2_application" "logging_add" {
  name                   = "${var.name}-logging_add"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn


}

check "logging_add" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.logging_add.version_id == 1
    error_message = "logging_add: version"
  }
  assert {
    condition     = jsonencode(aws_kinesisanalyticsv2_application.logging_add.cloudwatch_logging_options[*].log_stream_arn) == jsonencode([])
    error_message = "logging_add: where to"
  }
}
