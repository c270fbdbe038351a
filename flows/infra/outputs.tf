output "vpc_id" {
  description = "The network."
  value       = "vpc-${substr(terraform_data.vpc.id, 0, 8)}"
}

output "subnet_ids" {
  description = "Its subnets, in the order of their zones."
  value       = [for zone in local.zones : "subnet-${substr(terraform_data.subnet[zone].id, 0, 8)}"]
}

output "api_endpoint" {
  description = "Where the API answers."
  value       = var.api_endpoint
}

output "database_url" {
  description = "How an application reaches the database."
  value       = "postgresql://app:${var.database_password}@database.internal/app"
  sensitive   = true
}
