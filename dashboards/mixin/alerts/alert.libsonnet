// How every alert is made: its labels, its place in the runbook, and the labels of destinations.
function(config) {
  local alert = self,

  destination: 'job, instance, destination',
  path: alert.destination + ', path',

  // A metric with the selector of the configuration.
  metric(name, more='')::
    local matchers = std.join(', ', [one for one in [config.selector, more] if one != '']);
    if matchers == '' then name else '%s{%s}' % [name, matchers],

  // One alert. `waits` and `stays` are its `for` and `keep_firing_for`; none where they are empty.
  make(name, severity, expr, summary, description, waits='', stays=''):: {
    alert: name,
    expr: expr,
    [if waits != '' then 'for']: waits,
    [if stays != '' then 'keep_firing_for']: stays,
    labels: { severity: severity } + config.alert_labels,
    annotations: {
      summary: summary,
      description: description,
      runbook_url: config.runbook_url + std.asciiLower(name),
    },
  },

  // The same about one destination: with the labels that the configuration of the agent gives it.
  about(name, severity, expr, summary, description, waits='', stays='')::
    local labels = std.join(', ', config.destination_labels);
    local labelled =
      if labels == '' then expr else
        '(\n%s\n) * on (%s) group_left (%s)\n  max by (%s, %s) (%s)\n' % [
          std.join('\n', ['  ' + line for line in std.split(std.rstripChars(expr, '\n'), '\n')]),
          alert.destination,
          labels,
          alert.destination,
          labels,
          alert.metric('ecmp_destination_info'),
        ];
    alert.make(name, severity, labelled, summary, description, waits, stays),
}
