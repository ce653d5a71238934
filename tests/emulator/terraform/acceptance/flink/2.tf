# TestAccKinesisAnalyticsV2Application_FlinkApplication_update: between DEFAULT and CUSTOM, and another version of the code.
resource "aws_kinesisanalyticsv2_application" "flink" {
  name                   = "${var.name}-flink"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE"
      code_content {
        s3_content_location {
          bucket_arn     = aws_s3_bucket.code.arn
          file_key       = aws_s3_object.code[1].key
          object_version = aws_s3_object.code[1].version_id
        }
      }
    }
    application_snapshot_configuration {
      snapshots_enabled = true
    }
    flink_application_configuration {
      checkpoint_configuration {
        checkpointing_enabled         = true
        checkpoint_interval           = 55000
        configuration_type            = "CUSTOM"
        min_pause_between_checkpoints = 5500
      }
      monitoring_configuration {
        configuration_type = "CUSTOM"
        log_level          = "ERROR"
        metrics_level      = "OPERATOR"
      }
      parallelism_configuration {
        configuration_type = "DEFAULT"
      }
    }
  }
}

locals {
  flink = aws_kinesisanalyticsv2_application.flink.application_configuration[0].flink_application_configuration[0]
}

check "flink" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.flink.version_id == 2
    error_message = "flink: version"
  }
  assert {
    condition     = jsonencode([local.flink.checkpoint_configuration[0].checkpoint_interval, local.flink.monitoring_configuration[0].log_level, local.flink.monitoring_configuration[0].metrics_level, local.flink.parallelism_configuration[0].parallelism, local.flink.parallelism_configuration[0].parallelism_per_kpu, local.flink.parallelism_configuration[0].auto_scaling_enabled]) == jsonencode([55000, "ERROR", "OPERATOR", 1, 1, true])
    error_message = "flink: configuration: ${jsonencode(local.flink)}"
  }
}
