# TestAccKinesisAnalyticsV2Application_ServiceExecutionRole_update.
resource "aws_kinesisanalyticsv2_application" "role" {
  name                   = "${var.name}-role"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[1].arn
}

check "role" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.role.version_id == 2
    error_message = "role: version"
  }
}
