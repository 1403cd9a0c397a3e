{{/* The image of the release, or of the tag that is given. */}}
{{- define "llm-research.image" -}}
{{- printf "%s:%s" .root.Values.image.repository (.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end }}

{{- define "llm-research.labels" -}}
app.kubernetes.io/name: llm-research
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: llm-research-lab
{{- end }}

{{/* Nothing but what the program needs: no root, no capability, nothing to write on but /tmp. */}}
{{- define "llm-research.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "llm-research.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
capabilities:
  drop: [ALL]
{{- end }}

{{/* A pod that does one thing and ends: hooks. */}}
{{- define "llm-research.smallResources" -}}
requests:
  cpu: 100m
  memory: 128Mi
  ephemeral-storage: 16Mi
limits:
  cpu: 1000m
  memory: 512Mi
  ephemeral-storage: 256Mi
{{- end }}

{{/* A Deployment of the API: .root, .name, .version, .replicas, .tag */}}
{{- define "llm-research.apiDeployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app: llm-research-api
    version: {{ .version }}
    {{- include "llm-research.labels" .root | nindent 4 }}
spec:
  {{- if not (and .autoscaled .root.Values.autoscaling.enabled) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 10
  # A pod that does not become ready is told of before a client of kubectl has given up.
  progressDeadlineSeconds: 280
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 25%
      maxUnavailable: 0
  selector:
    matchLabels:
      app: llm-research-api
      version: {{ .version }}
  template:
    metadata:
      labels:
        app: llm-research-api
        version: {{ .version }}
        {{- include "llm-research.labels" .root | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: api
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ .root.Values.config.METRICS_PORT | quote }}
        prometheus.io/path: /metrics
    spec:
      {{- include "llm-research.podSpec" (dict "root" .root "app" "llm-research-api" "version" .version) | nindent 6 }}
      containers:
      - name: api
        image: {{ include "llm-research.image" (dict "root" .root "tag" .tag) }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        {{- if not .root.Values.api.runs }}
        args: [serve, --no-worker]
        {{- end }}
        ports:
        - name: http
          containerPort: {{ .root.Values.config.SERVER_PORT }}
        - name: metrics
          containerPort: {{ .root.Values.config.METRICS_PORT }}
        {{- include "llm-research.settings" .root | nindent 8 }}
        livenessProbe:
          httpGet:
            path: /health
            port: {{ .root.Values.config.SERVER_PORT }}
          initialDelaySeconds: 10
          periodSeconds: 10
          failureThreshold: 3
        readinessProbe:
          httpGet:
            path: /health/ready
            port: {{ .root.Values.config.SERVER_PORT }}
          initialDelaySeconds: 5
          periodSeconds: 5
          failureThreshold: 3
        lifecycle:
          preStop:
            exec:
              command: ["/bin/sh", "-c", "sleep {{ .root.Values.preStopSeconds }}"]
{{- end }}

{{/* What pods of the API and of workers share. */}}
{{- define "llm-research.podSpec" -}}
serviceAccountName: {{ .root.Values.serviceAccount.name }}
# The program watches its ConfigMap with it.
automountServiceAccountToken: true
# The addresses of other services as variables are of no use, and one of them is called SERVER_PORT somewhere.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .root.Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "llm-research.podSecurity" .root | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Apart where there is room; on one machine all the same.
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            app: {{ .app }}
            version: {{ .version }}
volumes:
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.temporarySize }}
- name: live-config
  configMap:
    name: llm-research-config
{{- if .root.Values.homeClaim }}
- name: home
  persistentVolumeClaim:
    claimName: {{ .root.Values.homeClaim }}
{{- end }}
{{- end }}

{{/* Settings, what is mounted, resources, rights: of the container. */}}
{{- define "llm-research.settings" -}}
envFrom:
- configMapRef:
    name: llm-research-config
- secretRef:
    name: {{ .Values.secret.name }}
env:
# Beside the watch of the ConfigMap, which needs the API server.
- name: LIVE_CONFIG_DIR
  value: /etc/llm-research/live
{{- if .Values.homeClaim }}
- name: LLM_RESEARCH_HOME
  value: /home/llm-research
{{- end }}
securityContext:
  {{- include "llm-research.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
- name: tmp
  mountPath: /tmp
- name: live-config
  mountPath: /etc/llm-research/live
  readOnly: true
{{- if .Values.homeClaim }}
- name: home
  mountPath: /home/llm-research
{{- end }}
{{- end }}
