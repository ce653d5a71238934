# The runtime goes up in place.
resource "aws_kinesisanalyticsv2_application" "basic" {
  name                   = "${var.name}-basic"
  runtime_environment    = "FLINK-1_18"
  service_execution_role = aws_iam_role.service[0].arn
}

check "basic" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.basic.version_id == 2 && aws_kinesisanalyticsv2_application.basic.runtime_environment == "FLINK-1_18"
    error_message = "basic: the runtime's version"
  }
}
