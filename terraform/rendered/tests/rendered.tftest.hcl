# `terraform -chdir=terraform/rendered init && terraform -chdir=terraform/rendered test`

variables {
  manifests = "manifests.yml"
}

run "nothing_is_lost" {
  command = plan

  assert {
    condition     = length(output.namespaces) + length(output.volumes) + length(output.rest) == output.count
    error_message = "Two documents have one kind, namespace and name."
  }
  assert {
    condition     = toset(keys(output.namespaces)) == toset(["Namespace/goods", "Namespace/goods-logs"])
    error_message = "The namespaces are not the two that are known."
  }
  assert {
    condition     = toset(keys(output.volumes)) == toset(["PersistentVolumeClaim/goods/postgres-data"])
    error_message = "The database's volume is not among the protected ones."
  }
}

run "objects_are_whole" {
  command = plan

  assert {
    condition     = output.rest["Deployment/goods/api"].spec.strategy.rollingUpdate.maxUnavailable == 0
    error_message = "A number has become a text."
  }
  assert {
    condition     = output.rest["ConfigMap/goods/db-config"].data.DB_PORT == "5432"
    error_message = "A text has become a number."
  }
  assert {
    condition     = alltrue([for name, object in output.rest : object.kind != "Secret"])
    error_message = "A secret is in the manifests."
  }
  assert {
    condition     = alltrue([for name in keys(output.rest) : length(split("/", name)) == 3 || startswith(name, "ClusterRole")])
    error_message = "An object names no namespace."
  }
}

run "addresses_are_those_of_the_services" {
  command = plan

  assert {
    condition     = output.addresses["api"] == "api.goods.svc:8000" && output.addresses["grafana"] == "grafana.goods.svc:3000"
    error_message = "An address is not the service's."
  }
  assert {
    condition     = !contains(keys(output.addresses), "api-pods") && !contains(keys(output.addresses), "promtail")
    error_message = "A service without an address of its own has one."
  }
}

run "an_image_is_replaced_wherever_it_runs" {
  command = plan
  variables {
    images = { "goods-api:0.1.0" = "registry.example/goods-api@sha256:0123" }
  }

  assert {
    condition = alltrue([
      for container in concat(
        output.rest["Deployment/goods/api"].spec.template.spec.initContainers,
        output.rest["Deployment/goods/api"].spec.template.spec.containers,
        output.rest["StatefulSet/goods/alertmanager"].spec.template.spec.initContainers,
      ) : container.image == "registry.example/goods-api@sha256:0123"
    ])
    error_message = "A container still has the old image."
  }
  assert {
    condition     = output.rest["StatefulSet/goods/loki"].spec.template.spec.containers[0].image == "grafana/loki:3.7.8"
    error_message = "Another image was touched."
  }
}
