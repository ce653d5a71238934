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
          file_key       = aws_s3_object.code[0].key
          object_version = aws_s3_object.code[0].version_id
        }
      }
    }
    application_snapshot_configuration {
      snapshots_enabled = false
    }
    flink_application_configuration {
      checkpoint_configuration {
        configuration_type = "DEFAULT"
      }
      monitoring_configuration {
        configuration_type = "CUSTOM"
        log_level          = "DEBUG"
        metrics_level      = "TASK"
      }
      parallelism_configuration {
        auto_scaling_enabled = true
        configuration_type   = "CUSTOM"
        parallelism          = 10
        parallelism_per_kpu  = 4
      }
    }
  }
}

locals {
  flink = aws_kinesisanalyticsv2_application.flink.application_configuration[0].flink_application_configuration[0]
}

check "flink" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.flink.version_id == 1
    error_message = "flink: version"
  }
  assert {
    condition     = jsonencode([local.flink.checkpoint_configuration[0].checkpoint_interval, local.flink.monitoring_configuration[0].log_level, local.flink.monitoring_configuration[0].metrics_level, local.flink.parallelism_configuration[0].parallelism, local.flink.parallelism_configuration[0].parallelism_per_kpu, local.flink.parallelism_configuration[0].auto_scaling_enabled]) == jsonencode([60000, "DEBUG", "TASK", 10, 4, true])
    error_message = "flink: configuration: ${jsonencode(local.flink)}"
  }
}
