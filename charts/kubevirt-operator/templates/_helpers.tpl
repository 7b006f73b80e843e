{{/*
Names are fixed: webhook configurations and ClusterRoles are cluster-wide, so a cluster holds one release of each mode.
Helpers that need to know which process they are for take (list $ "webhook") or (list $ "controller").
*/}}

{{/* Labels of every object. */}}
{{- define "kubevirt-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: kubevirt-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels that select the pods of one process. */}}
{{- define "kubevirt-operator.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: kubevirt-operator
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "kubevirt-operator.image" -}}
{{- with .Values.image -}}
{{ .repository }}
{{- if or .tag (not .digest) }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* Environment of one process: what both read, what only it reads, then extraEnv. */}}
{{- define "kubevirt-operator.env" -}}
{{- $root := index . 0 -}}
{{- $process := index . 1 -}}
{{- $own := include "kubevirt-operator.env.own" . | fromYamlArray -}}
{{- $extra := $root.Values.extraEnv -}}
{{- $key := "extraEnv" -}}
{{- if eq $process "webhook" -}}
{{- $extra = $root.Values.webhook.extraEnv -}}
{{- $key = "webhook.extraEnv" -}}
{{- end -}}
{{- $taken := list -}}
{{- range $own }}{{ $taken = append $taken .name }}{{ end -}}
{{- range $extra -}}
{{- if has .name $taken -}}
{{- fail (printf "%s: %s is set already; the chart has a value for it, or it is given twice" $key .name) -}}
{{- end -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- concat $own ($extra | default list) | toYaml -}}
{{- end }}

{{- define "kubevirt-operator.env.own" -}}
{{- $root := index . 0 -}}
{{- $process := index . 1 -}}
{{- with $root.Values -}}
- name: NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: KUBEVIRT_CONFIGS_NAMESPACE
  value: {{ .kubevirtConfigs.namespace | quote }}
- name: VM_NAME_PREFIX
  value: {{ .vmNamePrefix | quote }}
- name: ADOPTION
  value: {{ .placement.adoption | quote }}
- name: METRICS_BIND_ADDRESS
  value: ":8080"
- name: HEALTH_PROBE_BIND_ADDRESS
  value: ":8081"
- name: LOG_FORMAT
  value: {{ .log.format | quote }}
- name: LOG_LEVEL
  value: {{ .log.level | quote }}
{{- if eq $process "controller" }}
- name: MACHINE_LABELS
  value: {{ join "," .machineLabels | quote }}
- name: RECONCILE_INTERVAL
  value: {{ .reconcileInterval | quote }}
- name: MAX_CONCURRENT_RECONCILES
  value: {{ .maxConcurrentReconciles | int64 | quote }}
- name: LEADER_ELECTION
  value: {{ .leaderElection | quote }}
- name: PLATFORM_DISRUPTED_CLUSTERS
  value: {{ .platform.disruptedClusters | int64 | quote }}
{{- if .vmaasHub.kubeconfigSecret }}
- name: VMAAS_HUB_KUBECONFIG
  value: /etc/kubevirt-operator/vmaas-hub/kubeconfig
- name: VMAAS_HUB_ID
  value: {{ .vmaasHub.id | quote }}
- name: VMAAS_HUB_NAMESPACE
  value: {{ .vmaasHub.namespace | quote }}
{{- end }}
{{- with .cloudInit.sources.namespaces }}
- name: CLOUD_INIT_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
- name: DEFAULT_BRIDGE
  value: {{ .defaultBridge | quote }}
- name: IP_SOURCE
  value: {{ .ipSource | quote }}
{{- else }}
{{- with .defaultKubevirtConfig }}
- name: DEFAULT_KUBEVIRT_CONFIG
  value: {{ . | quote }}
{{- end }}
- name: PLACEMENT_STRATEGY
  value: {{ .placement.strategy | quote }}
{{- with .placement.whenUnreachable }}
- name: PLACEMENT_WHEN_UNREACHABLE
  value: {{ . | quote }}
{{- end }}
- name: ADOPT_BEFORE_DEFAULT
  value: {{ .placement.adoptBeforeDefault | quote }}
- name: PVC_ACCESS_MODE
  value: {{ .pvc.accessMode | quote }}
{{- with .pvc.volumeMode }}
- name: PVC_VOLUME_MODE
  value: {{ . | quote }}
{{- end }}
- name: WEBHOOK_BIND_ADDRESS
  value: ":8443"
- name: WEBHOOK_DNS_NAMES
  value: {{ include "kubevirt-operator.dnsNames" $root | quote }}
- name: WEBHOOK_CONFIGURATION
  value: kubevirt-operator
- name: WEBHOOK_CA_SECRET
  value: kubevirt-operator-webhook-ca
- name: WEBHOOK_CA_VALIDITY
  value: {{ .webhook.certificate.authorityValidity | quote }}
- name: WEBHOOK_CERTIFICATE_VALIDITY
  value: {{ .webhook.certificate.validity | quote }}
- name: WEBHOOK_CA_ANNOUNCEMENT
  value: {{ .webhook.certificate.announcement | quote }}
{{- if (.webhook.clientCa).names }}
- name: WEBHOOK_CLIENT_CA_FILE
  value: /etc/kubevirt-operator/client-ca/ca.crt
- name: WEBHOOK_CLIENT_NAMES
  value: {{ join "," .webhook.clientCa.names | quote }}
{{- end }}
- name: WEBHOOK_REPLICAS
  value: {{ .webhook.replicas | int | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Names in the serving certificate: those of the Service, and the host of webhook.url. */}}
{{- define "kubevirt-operator.dnsNames" -}}
{{- $service := "kubevirt-operator-webhook" -}}
{{- $namespaced := printf "%s.%s" $service .Release.Namespace -}}
{{- $names := list $service $namespaced (printf "%s.svc" $namespaced) (printf "%s.svc.cluster.local" $namespaced) -}}
{{- with .Values.webhook.url }}{{ $names = append $names (urlParse .).hostname }}{{ end -}}
{{- join "," $names -}}
{{- end }}

{{/* How the API server reaches one path of the webhook. The caBundle is the webhook's to write, at run time. */}}
{{- define "kubevirt-operator.clientConfig" -}}
{{- $root := index . 0 -}}
{{- $path := index . 1 -}}
{{- with $root.Values.webhook.url -}}
url: {{ printf "%s%s" (trimSuffix "/" .) $path | quote }}
{{- else -}}
service:
  name: kubevirt-operator-webhook
  namespace: {{ $root.Release.Namespace }}
  path: {{ $path }}
  port: 443
{{- end }}
{{- end }}

{{- define "kubevirt-operator.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "kubevirt-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "kubevirt-operator.probes" -}}
livenessProbe:
  httpGet:
    path: /healthz
    port: health
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 2
  failureThreshold: 2
{{- end }}
