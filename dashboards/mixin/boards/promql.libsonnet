// PromQL that several boards ask, in one way.
//
// Every selector carries the job and the instance, so that agents can be told apart; loss always is the share of
// *finished* probes that had no answer; quantiles come from native histograms where Prometheus has them, and from
// classic buckets where it has not: the side that does not exist gives nothing, and `or` takes the other.
{
  local q = self,

  agent: 'job=~"$job", instance=~"$instance"',
  destination: self.agent + ', destination=~"$destination"',
  path: self.destination + ', path=~"$path"',
  hop: self.path + ', hop=~"$hop"',

  by_destination: ['job', 'instance', 'destination'],
  by_path: self.by_destination + ['path'],
  by_hop: self.by_path + ['ttl', 'hop'],
  responder: ['job', 'instance', 'hop'],

  step: '$__rate_interval',
  range: '$__range',

  listed(labels):: std.join(', ', labels),

  // sum by (...) (rate(...)); without labels, over everything.
  total(of, metric, where, by, window)::
    local inner = '%s(%s{%s}[%s])' % [of, metric, where, window];
    if by == [] then 'sum(%s)' % inner else 'sum by (%s) (%s)' % [q.listed(by), inner],

  // Over the range of the board a whole number is asked for, along an axis of time a rate.
  function_for(window):: if window == q.range then 'increase' else 'rate',

  rate(metric, where, by, window=q.step):: q.total('rate', metric, where, by, window),
  increase(metric, where, by, window=q.range):: q.total('increase', metric, where, by, window),

  // Share of the end-to-end probes of a `flow` or `path` that the destination did not answer.
  loss(level, where, by, window=q.step)::
    local of = q.function_for(window);
    '1 - %s / %s' % [
      q.total(of, 'ecmp_%s_replies_total' % level, where, by, window),
      q.total(of, 'ecmp_%s_probes_total' % level, where, by, window),
    ],

  // Share of the probes of hops that ended as `losses` or `silences`.
  hop_share(what, where, by, window=q.step)::
    local of = q.function_for(window);
    '%s / %s' % [
      q.total(of, 'ecmp_hop_%s_total' % what, where, by, window),
      q.total(of, 'ecmp_hop_probes_total', where, by, window),
    ],

  lost(where, by, window)::
    local of = q.function_for(window);
    '(%s - %s)' % [
      q.total(of, 'ecmp_path_probes_total', where, by, window),
      q.total(of, 'ecmp_path_replies_total', where, by, window),
    ],

  // The sum, for each responder, of something that is known of the paths through it.
  through(of_paths, where)::
    'sum by (%s) (ecmp_path_hop_info{%s} * on (%s) group_left () (%s))'
    % [q.listed(q.responder), where, q.listed(q.by_path), of_paths],

  // End-to-end loss of the paths through a responder. The loss of its own probes would hide light loss: they count as
  // lost only when nothing beyond answered either, and so are silent where a later hop was luckier.
  loss_through(where, window)::
    local probes = q.total(q.function_for(window), 'ecmp_path_probes_total', where, q.by_path, window);
    '(%s / %s >= 0)' % [q.through(q.lost(where, q.by_path, window), where), q.through(probes, where)],

  quantile(quantile, histogram, where, by, window=q.step)::
    local of = q.function_for(window);
    'histogram_quantile(%g, %s) or histogram_quantile(%g, %s)' % [
      quantile,
      q.total(of, histogram, where, by, window),
      quantile,
      q.total(of, histogram + '_bucket', where, by + ['le'], window),
    ],

  native_heatmap(histogram, where):: q.total('increase', histogram, where, [], q.step),
  classic_heatmap(histogram, where):: q.total('increase', histogram + '_bucket', where, ['le'], q.step),
  // Whichever there is; not both, if both are stored.
  any_heatmap(histogram, where)::
    '%s or on () %s' % [q.native_heatmap(histogram, where), q.classic_heatmap(histogram, where)],

  relabel(expression, new, old, pattern='(.*)', replacement='$1')::
    'label_replace(%s, "%s", "%s", "%s", "%s")' % [expression, new, replacement, old, pattern],

  // Adds name, asn and mpls of responders. `known` has every responder, also one that there is no ecmp_hop_info of: it
  // is only grouped, which costs less than to ask the expression twice.
  named(expression, known)::
    local names = 'ecmp_hop_info{%s} or on (%s) group by (%s) (%s)'
                  % [q.agent, q.listed(q.responder), q.listed(q.responder), known];
    '(%s) * on (%s) group_left (name, asn, mpls) (%s)' % [expression, q.listed(q.responder), names],
}
