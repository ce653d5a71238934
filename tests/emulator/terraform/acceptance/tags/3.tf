# TestAccKinesisAnalyticsV2Application_tags: they change no version.
resource "aws_kinesisanalyticsv2_application" "tags" {
  name                   = "${var.name}-tags"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn
  tags                   = { key2 = "value2" }
}

check "tags" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.tags.version_id == 1 && aws_kinesisanalyticsv2_application.tags.tags_all == tomap({ key2 = "value2" })
    error_message = "tags"
  }
}
