# TestAccKinesisAnalyticsV2Application_ApplicationCode_update, with code in S3.
resource "aws_kinesisanalyticsv2_application" "code" {
  name                   = "${var.name}-code"
  runtime_environment    = "FLINK-1_20"
  service_execution_role = aws_iam_role.service[0].arn

  application_configuration {
    application_code_configuration {
      code_content_type = "ZIPFILE"
      code_content {
        s3_content_location {
          bucket_arn = aws_s3_bucket.code.arn
          file_key   = aws_s3_object.code[1].key
        }
      }
    }
  }
}

check "code" {
  assert {
    condition     = aws_kinesisanalyticsv2_application.code.version_id == 2
    error_message = "code: version"
  }
  assert {
    condition     = aws_kinesisanalyticsv2_application.code.application_configuration[0].application_code_configuration[0].code_content[0].s3_content_location[0].object_version == ""
    error_message = "code: none was said"
  }
}
