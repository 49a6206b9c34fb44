{{- define "ecmp.name" -}}
{{- printf "%s-ecmp-exporter" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ecmp.selector" -}}
app.kubernetes.io/name: ecmp-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ecmp.labels" -}}
{{ include "ecmp.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The pod of both kinds of workload. */}}
{{- define "ecmp.pod" -}}
metadata:
  labels:
    {{- include "ecmp.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # Pods are made anew when what they read has changed.
    checksum/config: {{ include "ecmp.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  # A pod network would add its own hop and source NAT, which rewrites source ports: flows would not be what we chose.
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  automountServiceAccountToken: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: ecmp-exporter
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- if eq .Values.mode "statefulset" }}
      env:
        - name: POD_INDEX
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
      {{- end }}
      args:
        - --config.file=/etc/ecmp_exporter/ecmp_exporter.toml
        - --web.listen-address=:{{ .Values.port }}
        {{- if eq .Values.mode "statefulset" }}
        - --shard.index=$(POD_INDEX)
        - --shard.count={{ .Values.replicas }}
        {{- end }}
        {{- if .Values.webConfigSecret }}
        - --web.config.file=/etc/ecmp_exporter_web/web.yml
        {{- end }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      ports:
        - name: metrics
          containerPort: {{ .Values.port }}
          hostPort: {{ .Values.port }}
        {{- if .Values.mesh.enabled }}
        - name: mesh
          containerPort: {{ .Values.mesh.port }}
          hostPort: {{ .Values.mesh.port }}
          protocol: UDP
        {{- end }}
      {{- if .Values.webConfigSecret }}
      # Whether it asks for a password or a certificate is not known here: that the port is open has to do.
      livenessProbe:
        tcpSocket:
          port: metrics
      readinessProbe:
        tcpSocket:
          port: metrics
      {{- else }}
      livenessProbe:
        httpGet:
          path: /-/healthy
          port: metrics
      readinessProbe:
        httpGet:
          path: /-/ready
          port: metrics
      {{- end }}
      {{- with .Values.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        # With allowPrivilegeEscalation: false a file capability is not honoured, so the process is root with this one
        # capability and nothing else.
        runAsUser: 0
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
          add: [NET_RAW]
        seccompProfile:
          type: RuntimeDefault
      volumeMounts:
        - name: config
          mountPath: /etc/ecmp_exporter
          readOnly: true
        {{- if .Values.webConfigSecret }}
        - name: web
          mountPath: /etc/ecmp_exporter_web
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "ecmp.name" . }}
    {{- with .Values.webConfigSecret }}
    - name: web
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- with .Values.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end -}}

{{- define "ecmp.mesh" -}}
{{- include "ecmp.name" . | trunc 58 | trimSuffix "-" -}}-mesh
{{- end -}}

{{/* The configuration, with the agents of the mesh behind it. */}}
{{- define "ecmp.config" -}}
{{- .Values.config -}}
{{- if .Values.mesh.enabled -}}
{{- if ne .Values.mode "daemonset" }}{{ fail "mesh.enabled takes mode: daemonset" }}{{ end }}

[mesh]
groups = ["{{ include "ecmp.mesh" . }}.{{ .Release.Namespace }}.svc"]
port = {{ .Values.mesh.port }}
{{ .Values.mesh.config }}
{{- end -}}
{{- end -}}
