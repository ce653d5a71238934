variable "name" {
  description = "Name of the application; the role, the bucket and the log group are named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,128}$", var.name))
    error_message = "The service takes 1 to 128 letters, digits, dots, hyphens and underscores."
  }
}

variable "owner" {
  description = <<-EOT
    Who changes the application: "terraform" (made and configured here; scurry starts, stops, snapshots, rolls back and recovers it),
    or "scurry" (only what it needs is made here, and scurry makes the application).
  EOT
  type        = string
  default     = "terraform"

  validation {
    condition     = contains(["terraform", "scurry"], var.owner)
    error_message = "The owner is \"terraform\" or \"scurry\"."
  }
}

variable "description" {
  description = "What the application does. It cannot be changed later without making the application anew."
  type        = string
  default     = null

  validation {
    condition     = length(coalesce(var.description, "-")) <= 1024
    error_message = "The service takes 1024 characters."
  }
}

variable "runtime_environment" {
  description = "The service's name of a Flink release, such as FLINK-1_20."
  type        = string
  default     = "FLINK-1_20"

  validation {
    condition     = can(regex("^FLINK-[0-9]+_[0-9]+$", var.runtime_environment))
    error_message = "A runtime environment of Flink looks like FLINK-1_20."
  }
}

# Code ----------------------------------------------------------------------------------------------------------------

variable "code_file" {
  description = "Jar, or zip of a PyFlink application, on this machine: uploaded whenever its content changes. Null: code_key is there already."
  type        = string
  default     = null

  validation {
    condition     = var.code_file == null ? true : fileexists(var.code_file)
    error_message = "There is no such file."
  }
}

variable "code_key" {
  description = "Key of the code in the bucket. Null: code/ and the name of code_file."
  type        = string
  default     = null

  validation {
    condition     = var.code_key == null ? true : length(var.code_key) >= 1 && length(var.code_key) <= 1024
    error_message = "A key has 1 to 1024 characters."
  }
}

variable "code_version" {
  description = "S3 version of code that is there already. Null: the newest, or the one that is uploaded here."
  type        = string
  default     = null
}

variable "bucket" {
  description = "Name of an existing bucket for code. Null: one is made, versioned, so that earlier code stays for a rollback."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Delete the bucket with all code in it when this module is destroyed."
  type        = bool
  default     = false
}

variable "tls_only" {
  description = "Refuse requests to the bucket without TLS. false for emulators, which ignore the condition and refuse all."
  type        = bool
  default     = true
}

# Running -------------------------------------------------------------------------------------------------------------

variable "start" {
  description = "Whether the application is started when it is made. Terraform starts and stops it only when this value changes."
  type        = bool
  default     = true
}

variable "force_stop" {
  description = "Stop without a snapshot."
  type        = bool
  default     = false
}

variable "restore" {
  description = <<-EOT
    Where a start or an update takes state from: type LATEST, NONE, or SNAPSHOT with the snapshot's name; and whether state that no
    operator takes is dropped. Null: what the service does (the latest snapshot), and no difference in plans of an application that
    has never been started.
  EOT
  type = object({
    type                     = optional(string, "LATEST")
    snapshot                 = optional(string)
    allow_non_restored_state = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.restore == null ? true : contains(["LATEST", "NONE", "SNAPSHOT"], var.restore.type)
    error_message = "State comes from LATEST, NONE or SNAPSHOT."
  }
  validation {
    condition     = var.restore == null ? true : (var.restore.type == "SNAPSHOT") == (var.restore.snapshot != null)
    error_message = "SNAPSHOT needs a snapshot's name, and nothing else has one."
  }
}

variable "snapshots_enabled" {
  description = "Take a snapshot at each stop and update. Without, an update loses all state."
  type        = bool
  default     = true
}

variable "snapshot_copies" {
  description = <<-EOT
    Where scurry has enhanced snapshots copied to, so that it can compare state by its bytes: an existing bucket of the same account
    and region (null: that of the code), and what the keys begin with. A role that may write there is made. Null: none is.
  EOT
  type = object({
    bucket = optional(string)
    prefix = optional(string, "snapshots/")
  })
  default = null

  validation {
    condition     = var.snapshot_copies == null ? true : can(regex("^[^/].{0,126}/$", var.snapshot_copies.prefix))
    error_message = "The prefix of copies has 128 characters at most, and ends with a slash."
  }
}

variable "parallelism" {
  description = "Parallelism, how many of it share a KPU, and whether the service scales by itself. KPUs are the quotient, rounded up, and one more."
  type = object({
    parallelism  = optional(number, 1)
    per_kpu      = optional(number, 1)
    auto_scaling = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.parallelism.parallelism >= 1 && floor(var.parallelism.parallelism) == var.parallelism.parallelism
    error_message = "Parallelism is a whole number, 1 or more."
  }
  validation {
    condition     = contains(range(1, 9), var.parallelism.per_kpu)
    error_message = "1 to 8 share a KPU."
  }
}

variable "kpu_quota" {
  description = "KPUs that the account grants an application; 64 unless it was raised."
  type        = number
  default     = 64
}

variable "checkpoints" {
  description = "Checkpoints: whether, how often and with what pause, in milliseconds."
  type = object({
    enabled      = optional(bool, true)
    interval_ms  = optional(number, 60000)
    min_pause_ms = optional(number, 5000)
  })
  default = {}

  validation {
    condition     = var.checkpoints.interval_ms >= 1 && var.checkpoints.min_pause_ms >= 0
    error_message = "The interval is 1 ms or more, and a pause is not negative."
  }
}

variable "monitoring" {
  description = "How much is logged (DEBUG, INFO, WARN, ERROR) and measured (APPLICATION, TASK, OPERATOR, PARALLELISM)."
  type = object({
    log_level     = optional(string, "INFO")
    metrics_level = optional(string, "APPLICATION")
  })
  default = {}

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.monitoring.log_level)
    error_message = "Log levels: DEBUG, INFO, WARN, ERROR."
  }
  validation {
    condition     = contains(["APPLICATION", "TASK", "OPERATOR", "PARALLELISM"], var.monitoring.metrics_level)
    error_message = "Metrics levels: APPLICATION, TASK, OPERATOR, PARALLELISM."
  }
}

variable "properties" {
  description = "Runtime properties: groups of keys and values, which the code reads in /etc/flink/application_properties.json. No secrets: they are shown by the service."
  type        = map(map(string))
  default     = {}

  validation {
    condition     = length(var.properties) <= 50 && alltrue([for id, group in var.properties : length(id) >= 1 && length(id) <= 50])
    error_message = "There are 50 groups at most, and their names have 1 to 50 characters."
  }
  validation {
    condition     = alltrue([for group in values(var.properties) : length(group) >= 1 && length(group) <= 50])
    error_message = "A group has 1 to 50 properties."
  }
  validation {
    condition = alltrue(flatten([
      for group in values(var.properties) : [
        for key, value in group : length(key) >= 1 && length(key) <= 2048 && length(value) >= 1 && length(value) <= 2048
      ]
    ]))
    error_message = "Keys and values of properties have 1 to 2048 characters."
  }
}

# Surroundings --------------------------------------------------------------------------------------------------------

variable "vpc" {
  description = "Subnets and security groups to run in. Null: the service's own network, which reaches the internet but nothing private."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) >= 1 && length(var.vpc.security_group_ids) >= 1
    error_message = "A VPC needs a subnet and a security group."
  }
}

variable "policy_json" {
  description = "Policy documents (JSON) with what the code itself needs: its sources, sinks and secrets. By any name."
  type        = map(string)
  default     = {}
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds the role."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "Key that encrypts code and logs. Null: keys of the services themselves. Its policy has to let the log service use it."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long log events are kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 49
    error_message = "An application has 50 tags at most, one of which says who its owner is."
  }
}

variable "timeouts" {
  description = "How long Terraform waits for the application to be made (and started), changed and deleted."
  type = object({
    create = optional(string, "15m")
    update = optional(string, "30m")
    delete = optional(string, "15m")
  })
  default = {}
}
