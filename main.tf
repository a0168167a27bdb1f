# Goods API on any cluster that a kubeconfig reaches: `terraform init && terraform apply`. What is applied is what
# `kubectl kustomize .` renders, from the file that `make manifests` wrote; docs/how-to/deploy-with-terraform.md has the steps.

terraform {
  required_version = ">= 1.11" # ephemeral variables and write-only arguments

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.38, < 4.0"
    }
  }
}

variable "kubeconfig" {
  description = "The kubeconfig file of the cluster."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "The context in it; the current one unless named."
  type        = string
  default     = null
}

variable "manifests" {
  description = "What `kubectl kustomize` wrote, if it is a folder of your own; the committed file otherwise."
  type        = string
  default     = null
}

variable "images" {
  description = "Images of your own registry: {\"goods-api:0.1.0\" = \"registry.example/goods-api:0.1.0\"}."
  type        = map(string)
  default     = {}
}

# Secrets are ephemeral: they are in no state and no plan. Another revision makes Terraform write them again.
variable "db_password" {
  description = "The application's password at the database."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "db_owner_password" {
  description = "The password of the role that migrates."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "db_monitor_password" {
  description = "The password of the exporter's role."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "postgres_password" {
  description = "The password of the database's superuser."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "grafana_admin_password" {
  description = "The first password of Grafana's user admin."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "alertmanager_secrets" {
  description = "Who is told of alerts: slack_api_url, telegram_bot_token, smtp_smarthost and the others; none by default."
  type        = map(string)
  default     = {}
  sensitive   = true
  ephemeral   = true
}

variable "secrets_revision" {
  description = "Raise it when a secret has changed: Terraform can't see that by itself."
  type        = number
  default     = 1
}

provider "kubernetes" {
  config_path    = pathexpand(var.kubeconfig)
  config_context = var.context
}

module "rendered" {
  source    = "./terraform/rendered"
  manifests = coalesce(var.manifests, "${path.module}/terraform/rendered/manifests.yml")
  images    = var.images
}

locals {
  secrets = {
    db-secrets = { DB_PASSWORD = var.db_password }
    postgres-secrets = {
      postgres_password   = var.postgres_password
      db_owner_password   = var.db_owner_password
      db_monitor_password = var.db_monitor_password
    }
    grafana-secrets      = { grafana_admin_password = var.grafana_admin_password }
    alertmanager-secrets = var.alertmanager_secrets
  }
}

# In this order: namespaces, secrets and volumes, everything else.
resource "kubernetes_manifest" "namespace" {
  for_each = module.rendered.namespaces
  manifest = each.value

  lifecycle {
    prevent_destroy = true # everything in it would go along, the data too
  }
}

resource "kubernetes_secret_v1" "secret" {
  for_each = toset(["db-secrets", "postgres-secrets", "grafana-secrets", "alertmanager-secrets"])

  metadata {
    name      = each.key
    namespace = "goods"
  }
  data_wo          = local.secrets[each.key]
  data_wo_revision = var.secrets_revision

  depends_on = [kubernetes_manifest.namespace]
}

resource "kubernetes_manifest" "volume" {
  for_each = module.rendered.volumes
  manifest = each.value

  lifecycle {
    prevent_destroy = true
  }
  depends_on = [kubernetes_manifest.namespace]
}

resource "kubernetes_manifest" "rest" {
  for_each = module.rendered.rest
  manifest = each.value

  # `kubectl` and the autoscaler may have touched them: what the manifests say is what is wanted.
  field_manager {
    name            = "goods-terraform"
    force_conflicts = true
  }
  depends_on = [kubernetes_manifest.volume, kubernetes_secret_v1.secret]
}

output "addresses" {
  description = "Each service's address inside the cluster."
  value       = module.rendered.addresses
}

output "from_outside" {
  description = "What brings each to this machine, at the port that its address has."
  value = {
    for name, address in module.rendered.addresses :
    name => "kubectl -n goods port-forward service/${name} ${split(":", address)[1]}"
  }
}
