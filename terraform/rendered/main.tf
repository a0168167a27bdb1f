# The manifests as Terraform's values. It knows no provider, so `terraform test` runs without a cluster and offline.

terraform {
  required_version = ">= 1.11"
}

variable "manifests" {
  description = "The file that `kubectl kustomize .` wrote."
  type        = string
}

variable "images" {
  description = "Other images in place of those in the manifests: {\"goods-api:0.1.0\" = \"registry.example/goods-api@sha256:...\"}."
  type        = map(string)
  default     = {}
}

locals {
  # Between documents the line is not indented; inside a document, as in a ConfigMap's text, it would be.
  texts = split("\n---\n", file(var.manifests))

  # An image is replaced wherever a container names it, and nowhere else.
  documents = [
    for text in local.texts : yamldecode(join("\n", [
      for line in split("\n", text) :
      join(" image: ", [for part in split(" image: ", line) : lookup(var.images, part, part)])
    ]))
  ]

  objects = {
    for document in local.documents :
    join("/", compact([document.kind, try(document.metadata.namespace, ""), document.metadata.name])) => document
  }

  # Destroying these destroys data: a namespace takes everything in it along.
  namespaces = { for name, object in local.objects : name => object if object.kind == "Namespace" }
  volumes    = { for name, object in local.objects : name => object if object.kind == "PersistentVolumeClaim" }

  services = { for name, object in local.objects : name => object if object.kind == "Service" && try(object.spec.type, "") == "ClusterIP" }
}

output "namespaces" {
  description = "The namespaces, which come first."
  value       = local.namespaces
}

output "volumes" {
  description = "The volumes that hold data."
  value       = local.volumes
}

output "rest" {
  description = "All other objects."
  value = {
    for name, object in local.objects : name => object
    if !contains(keys(local.namespaces), name) && !contains(keys(local.volumes), name)
  }
}

output "addresses" {
  description = "Each service's address inside the cluster."
  value = {
    for object in values(local.services) :
    object.metadata.name => "${object.metadata.name}.${object.metadata.namespace}.svc:${object.spec.ports[0].port}"
    if try(object.spec.clusterIP, "") != "None"
  }
}

output "count" {
  description = "How many documents the file has; a name that stands twice would make fewer objects of them."
  value       = length(local.texts)
}
