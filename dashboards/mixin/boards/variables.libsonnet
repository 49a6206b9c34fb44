// The variables and annotations that the boards share.
local p = import 'panels.libsonnet';
local q = import 'promql.libsonnet';
{
  job: p.variable('job', 'Job', 'label_values(ecmp_exporter_build_info, job)'),
  instance: p.variable('instance', 'Instance', 'label_values(ecmp_exporter_build_info{job=~"$job"}, instance)'),
  // Boards of one destination begin with the first: a thousand of them are no graph.
  destination(every=true)::
    p.variable(
      'destination', 'Destination', 'label_values(ecmp_destination_info{%s}, destination)' % q.agent, every
    ),
  // With the first path: the hops of all 16 of a fan are hundreds of lines.
  path: p.variable('path', 'Path', 'label_values(ecmp_path_flows{%s}, path)' % q.destination, false),
  hop: p.variable('hop', 'Hop', 'label_values(ecmp_path_hop_info{%s}, hop)' % q.path),
  path_changes:
    local changes = q.increase('ecmp_flow_path_changes_total', q.destination, q.by_destination + ['kind'], q.step);
    p.annotation('Path changes', changes + ' > 0', '{{kind}}', '{{destination}} as {{instance}} sees it', p.orange),
}
