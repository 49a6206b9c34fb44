// Boards, recording rules and alerts of ecmp_exporter, in the usual form of mixins: `grafanaDashboards`,
// `prometheusRules`, `prometheusAlerts`, and `_config` (config.libsonnet). The files in ../grafana and ../rules are made
// of it by ../generate.py.
(import 'config.libsonnet') +
(import 'rules.libsonnet') +
(import 'alerts/network.libsonnet') +
(import 'alerts/mesh.libsonnet') +
(import 'alerts/agent.libsonnet') +
(import 'boards/boards.libsonnet')
