# The application itself. What it needs is in surroundings.tf.

locals {
  restore_types = {
    LATEST   = "RESTORE_FROM_LATEST_SNAPSHOT"
    NONE     = "SKIP_RESTORE_FROM_SNAPSHOT"
    SNAPSHOT = "RESTORE_FROM_CUSTOM_SNAPSHOT"
  }
  kpus = ceil(var.parallelism.parallelism / var.parallelism.per_kpu)
}

resource "aws_kinesisanalyticsv2_application" "this" {
  count = var.owner == "terraform" ? 1 : 0

  name                   = var.name
  description            = var.description
  runtime_environment    = var.runtime_environment
  service_execution_role = aws_iam_role.this.arn
  start_application      = var.start
  force_stop             = var.force_stop
  tags                   = local.tags

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE" # of jars, too

      code_content {
        s3_content_location {
          bucket_arn     = local.bucket_arn
          file_key       = local.code_key
          object_version = local.code_version
        }
      }
    }

    application_snapshot_configuration {
      snapshots_enabled = var.snapshots_enabled
    }

    dynamic "environment_properties" {
      for_each = length(var.properties) > 0 ? [var.properties] : []

      content {
        dynamic "property_group" {
          for_each = environment_properties.value

          content {
            property_group_id = property_group.key
            property_map      = property_group.value
          }
        }
      }
    }

    flink_application_configuration {
      checkpoint_configuration {
        configuration_type            = "CUSTOM"
        checkpointing_enabled         = var.checkpoints.enabled
        checkpoint_interval           = var.checkpoints.interval_ms
        min_pause_between_checkpoints = var.checkpoints.min_pause_ms
      }

      monitoring_configuration {
        configuration_type = "CUSTOM"
        log_level          = var.monitoring.log_level
        metrics_level      = var.monitoring.metrics_level
      }

      parallelism_configuration {
        configuration_type   = "CUSTOM"
        auto_scaling_enabled = var.parallelism.auto_scaling
        parallelism          = var.parallelism.parallelism
        parallelism_per_kpu  = var.parallelism.per_kpu
      }
    }

    # Before the first start the service shows no such block, and Terraform would want to add it again and again.
    dynamic "run_configuration" {
      for_each = var.restore == null ? [] : [var.restore]

      content {
        application_restore_configuration {
          application_restore_type = local.restore_types[run_configuration.value.type]
          snapshot_name            = run_configuration.value.snapshot
        }

        flink_run_configuration {
          allow_non_restored_state = run_configuration.value.allow_non_restored_state
        }
      }
    }

    dynamic "vpc_configuration" {
      for_each = var.vpc == null ? [] : [var.vpc]

      content {
        subnet_ids         = vpc_configuration.value.subnet_ids
        security_group_ids = vpc_configuration.value.security_group_ids
      }
    }
  }

  cloudwatch_logging_options {
    log_stream_arn = aws_cloudwatch_log_stream.this.arn
  }

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }

  lifecycle {
    precondition {
      condition     = local.code_key != null
      error_message = "There is no code: give code_file or code_key."
    }
    precondition {
      condition     = local.kpus <= var.kpu_quota
      error_message = "Parallelism ${var.parallelism.parallelism} with ${var.parallelism.per_kpu} in a KPU takes ${local.kpus} KPUs, and the quota is ${var.kpu_quota}."
    }
  }

  # A start reads the code and opens the log stream with the role: its permissions have to be there before.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.code_needs]
}
