# TestAccKinesisAnalyticsV2Application_FlinkApplicationStartApplication_onCreate: no run configuration is said, and one is shown.
resource "aws_kinesisanalyticsv2_application" "running" {
  name                   = "${var.name}-running"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn
  start_application      = true

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE"
      code_content {
        s3_content_location {
          bucket_arn = aws_s3_bucket.code.arn
          file_key   = aws_s3_object.jar.key
        }
      }
    }
    environment_properties {
      property_group {
        property_group_id = "Job"
        property_map      = { counts = "${var.counts}-running", colour = "blue" }
      }
    }
    flink_application_configuration {
      parallelism_configuration {
        auto_scaling_enabled = false
        configuration_type   = "CUSTOM"
        parallelism          = 1
        parallelism_per_kpu  = 2
      }
    }

  }
}

locals {
  running     = aws_kinesisanalyticsv2_application.running
  running_run = local.running.application_configuration[0].run_configuration[0]
}

check "running" {
  assert {
    condition     = local.running.status == "RUNNING" && local.running.version_id == 1
    error_message = "running: status ${local.running.status}, version ${local.running.version_id}"
  }
  assert {
    condition     = jsonencode([local.running_run.application_restore_configuration[0].application_restore_type, local.running_run.flink_run_configuration[0].allow_non_restored_state]) == jsonencode(["RESTORE_FROM_LATEST_SNAPSHOT", false])
    error_message = "running: what it was started from: ${jsonencode(local.running_run)}"
  }
}
