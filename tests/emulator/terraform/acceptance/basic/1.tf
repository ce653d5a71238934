# TestAccKinesisAnalyticsV2Application_basicFlinkApplication: no configuration at all; what the service fills in.
resource "aws_kinesisanalyticsv2_application" "basic" {
  name                   = "${var.name}-basic"
  runtime_environment    = "FLINK-1_15"
  service_execution_role = aws_iam_role.service[0].arn
}

locals {
  basic       = aws_kinesisanalyticsv2_application.basic
  basic_flink = local.basic.application_configuration[0].flink_application_configuration[0]
}

check "basic" {
  assert {
    condition     = local.basic.status == "READY" && local.basic.version_id == 1 && local.basic.description == ""
    error_message = "basic: a new application"
  }
  assert {
    condition     = local.basic.arn == "arn:aws:kinesisanalytics:us-east-1:123456789012:application/${var.name}-basic"
    error_message = "basic: its ARN"
  }
  assert {
    condition     = can(formatdate("YYYY", local.basic.create_timestamp)) && can(formatdate("YYYY", local.basic.last_update_timestamp))
    error_message = "basic: its times"
  }
  assert {
    condition = alltrue([
      length(local.basic.application_configuration[0].application_code_configuration) == 0,
      length(local.basic.application_configuration[0].run_configuration) == 0,
      length(local.basic.application_configuration[0].environment_properties) == 0,
      length(local.basic.application_configuration[0].vpc_configuration) == 0,
      length(local.basic.cloudwatch_logging_options) == 0,
      local.basic.application_configuration[0].application_snapshot_configuration[0].snapshots_enabled,
    ])
    error_message = "basic: what there is and is not: ${jsonencode(local.basic.application_configuration[0])}"
  }
  assert {
    condition     = jsonencode(local.basic_flink.checkpoint_configuration[0]) == jsonencode({ checkpoint_interval = 60000, checkpointing_enabled = true, configuration_type = "DEFAULT", min_pause_between_checkpoints = 5000 })
    error_message = "basic: checkpoints"
  }
  assert {
    condition     = jsonencode(local.basic_flink.monitoring_configuration[0]) == jsonencode({ configuration_type = "DEFAULT", log_level = "INFO", metrics_level = "APPLICATION" })
    error_message = "basic: monitoring"
  }
  assert {
    condition     = jsonencode(local.basic_flink.parallelism_configuration[0]) == jsonencode({ auto_scaling_enabled = true, configuration_type = "DEFAULT", parallelism = 1, parallelism_per_kpu = 1 })
    error_message = "basic: parallelism"
  }
}
