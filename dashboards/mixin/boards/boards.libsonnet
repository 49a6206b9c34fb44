// The Grafana dashboards: { file: board }.
{
  local config = $._config,
  grafanaDashboards+:: {
    'ecmp-overview.json': (import 'overview.libsonnet')(config),
    'ecmp-destination.json': (import 'destination.libsonnet')(config),
    'ecmp-path.json': (import 'path.libsonnet')(config),
    'ecmp-mesh.json': (import 'mesh.libsonnet')(config),
    'ecmp-agent.json': (import 'agent.libsonnet')(config),
  },
}
