# TestAccKinesisAnalyticsV2Application_FlinkApplicationEnvironmentProperties_update.
resource "aws_kinesisanalyticsv2_application" "properties" {
  name                   = "${var.name}-properties"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE"
      code_content {
        s3_content_location {
          bucket_arn = aws_s3_bucket.code.arn
          file_key   = aws_s3_object.code[0].key
        }
      }
    }

  }
}

check "properties" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.properties.version_id == 3
    error_message = "properties: version"
  }
  assert {
    condition     = length(flatten(aws_kinesisanalyticsv2_application.properties.application_configuration[0].environment_properties[*].property_group)) == 0
    error_message = "properties: groups"
  }
}
