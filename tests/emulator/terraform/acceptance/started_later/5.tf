# TestAccKinesisAnalyticsV2Application_FlinkApplication_restoreFromSnapshot: it is stopped by force.
resource "aws_kinesisanalyticsv2_application" "started_later" {
  name                   = "${var.name}-started-later"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn
  start_application      = false
  force_stop             = true

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
    application_snapshot_configuration {
      snapshots_enabled = true
    }
    environment_properties {
      property_group {
        property_group_id = "Job"
        property_map      = { counts = "${var.counts}-later" }
      }
    }
    run_configuration {
      application_restore_configuration {
        application_restore_type = "RESTORE_FROM_CUSTOM_SNAPSHOT"
        snapshot_name            = "${var.name}-kept"
      }
    }
  }
}

check "started_later" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.started_later.version_id == 1
    error_message = "started later: starting and stopping is no change"
  }
  assert {
    condition     = aws_kinesisanalyticsv2_application.started_later.status == "READY"
    error_message = "started later: ${aws_kinesisanalyticsv2_application.started_later.status}"
  }
  assert {
    condition     = aws_kinesisanalyticsv2_application.started_later.application_configuration[0].run_configuration[0].application_restore_configuration[0].snapshot_name == "${var.name}-kept"
    error_message = "started later: from which snapshot"
  }
}

resource "aws_kinesisanalyticsv2_application_snapshot" "kept" {
  application_name = aws_kinesisanalyticsv2_application.started_later.name
  snapshot_name    = "${var.name}-kept"
}

check "kept" {
  assert {
    condition     = aws_kinesisanalyticsv2_application_snapshot.kept.application_version_id == 1 && can(formatdate("YYYY", aws_kinesisanalyticsv2_application_snapshot.kept.snapshot_creation_timestamp))
    error_message = "kept: its version and time"
  }
}
