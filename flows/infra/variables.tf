variable "environment" {
  description = "Which environment this is."
  type        = string
  default     = "production"

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "The environment is staging or production."
  }
}

variable "cidr" {
  description = "Address range of the network."
  type        = string
  default     = "10.0.0.0/16"
}

variable "database_size" {
  description = "Size of the database in GiB."
  type        = number
  default     = 20
}

variable "database_password" {
  description = "Password of the database."
  type        = string
  sensitive   = true
  default     = "only-for-the-example"
}

variable "api_endpoint" {
  description = "Where the API answers; a health check asks it at /health."
  type        = string
  default     = "http://127.0.0.1:4200/api"
}
