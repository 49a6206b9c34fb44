// What alerts ask again and again, computed once. A path is named by (job, instance, destination, path): two agents may
// see a destination over different paths.
{
  local config = $._config,
  local selector = config.selector,
  local metric(name, more='') =
    local matchers = std.join(', ', [one for one in [selector, more] if one != '']);
    if matchers == '' then name else '%s{%s}' % [name, matchers],
  local rate(name, by, window='5m', of='rate', more='') =
    'sum by (%s) (%s(%s[%s]))' % [by, of, metric(name, more), window],
  local destination = 'job, instance, destination',
  local path = destination + ', path',
  local oneway = path + ', direction',
  local hop = destination + ', ttl, hop',
  local record(name, expr) = { record: name, expr: expr },

  // The side of histograms that is not stored has no samples, and `or` takes the other one.
  local quantile(q, histogram, by) =
    'histogram_quantile(%g, %s)\n  or histogram_quantile(%g, %s)'
    % [q, rate(histogram, by), q, rate(histogram + '_bucket', by + ', le')],

  local loss(by) =
    '1 - %s\n  / %s' % [rate('ecmp_path_replies_total', by), rate('ecmp_path_probes_total', by)],

  local share(what) =
    '%s\n  / %s' % [rate('ecmp_hop_%s_total' % what, hop), rate('ecmp_hop_probes_total', hop)],

  prometheusRules+:: {
    groups+: [
      {
        name: 'ecmp_recording',
        rules: [
          // Loss end to end: the share of finished probes that the destination did not answer.
          record('destination:ecmp_loss:ratio_rate5m', loss(destination)),
          record('path:ecmp_loss:ratio_rate5m', loss(path)),
          // The same as numbers: one probe of ten is no proof.
          record('path:ecmp_probes:increase5m', rate('ecmp_path_probes_total', path, of='increase')),
          record(
            'path:ecmp_lost_probes:increase5m',
            'path:ecmp_probes:increase5m\n  - %s' % rate('ecmp_path_replies_total', path, of='increase')
          ),
          record(
            'path:ecmp_loss_in_use:ratio_rate5m',
            'path:ecmp_loss:ratio_rate5m and on (%s) %s > 0' % [path, metric('ecmp_path_flows')]
          ),
          // What the siblings of a path lose: the median of the others. For a path that loses more than most, that is
          // at a third of all 4 paths in their order, at 0.47 of all 16; of fewer than 4 it is the cleanest one.
          record(
            'destination:ecmp_path_loss:siblings_rate5m',
            |||
              min by (%(by)s) (path:ecmp_loss_in_use:ratio_rate5m)
                  and on (%(by)s) count by (%(by)s) (path:ecmp_loss_in_use:ratio_rate5m) < 4
                or quantile by (%(by)s) (0.3333, path:ecmp_loss_in_use:ratio_rate5m)
            ||| % { by: destination }
          ),
          // The probes that a path would have lost if it lost as its siblings do.
          record(
            'path:ecmp_lost_probes:siblings5m',
            'path:ecmp_probes:increase5m\n  * on (%s) group_left () destination:ecmp_path_loss:siblings_rate5m'
            % destination
          ),
          // Of STAMP streams, in each direction; unresolved is the loss of those packets of which no direction is known.
          record(
            'path:ecmp_oneway_loss:ratio_rate5m',
            '%s\n  / %s' % [rate('ecmp_path_oneway_losses_total', oneway), rate('ecmp_path_oneway_packets_total', oneway)]
          ),
          record(
            'path:ecmp_oneway_lost_packets:increase5m',
            rate('ecmp_path_oneway_losses_total', oneway, of='increase')
          ),
          // At hops, over all paths: loss (no answer from here nor from beyond), and silence, which is not loss.
          record('hop:ecmp_loss:ratio_rate5m', share('losses')),
          record('hop:ecmp_silence:ratio_rate5m', share('silences')),
          record('destination:ecmp_rtt_seconds:p99_rate5m', quantile(0.99, 'ecmp_path_rtt_seconds', destination)),
          record('path:ecmp_rtt_seconds:p99_rate5m', quantile(0.99, 'ecmp_path_rtt_seconds', path)),
          // The median over the agent's rolling window, of paths that flows are on.
          record(
            'path:ecmp_rtt_seconds:median_window',
            'max by (%(by)s) (%(rtt)s)\n  and on (%(by)s) %(flows)s > 0' % {
              by: path,
              rtt: metric('ecmp_path_window_rtt_seconds', 'quantile="0.5"'),
              flows: metric('ecmp_path_flows'),
            }
          ),
          record(
            'destination:ecmp_rtt_skew_seconds:median_window',
            |||
              max by (%(by)s) (path:ecmp_rtt_seconds:median_window)
                - min by (%(by)s) (path:ecmp_rtt_seconds:median_window)
            ||| % { by: destination }
          ),
          // Changes of the flow that changed most often. A balancer that deals out packets is no change of the network.
          record(
            'destination:ecmp_flow_path_changes:max_increase15m',
            'max by (%s) (\n  %s\n)' % [
              destination,
              rate('ecmp_flow_path_changes_total', destination + ', flow', '15m', 'increase', 'kind!="per_packet"'),
            ]
          ),
          // The width of the fan. Paths come one by one after a start, and a flow that moves is on none for a moment.
          record(
            'destination:ecmp_paths:max10m',
            'max by (%s) (max_over_time(%s[10m]))' % [destination, metric('ecmp_paths')]
          ),
        ],
      },
      {
        // The past of the fan's width: seldom, since it looks at a whole day.
        name: 'ecmp_width',
        interval: '5m',
        rules: [
          // Only of times at which nothing was wrong with it: what is narrow for long does not become the rule, nor the
          // width of a destination that is not traced.
          record(
            'destination:ecmp_paths:well',
            |||
              max by (%(by)s) (max_over_time(%(paths)s[5m]))
                unless on (%(by)s) ALERTS{alertname="EcmpWidthShrank"}
                unless on (%(by)s) %(none)s
            ||| % { by: destination, paths: metric('ecmp_paths'), none: metric('ecmp_destination_unjudged') }
          ),
          // What it was for nine tenths of that time, once there are six hours of it. Later it holds until there is a
          // newer past: also while the fan is narrow.
          record(
            'destination:ecmp_paths:settled',
            |||
              quantile_over_time(0.1, destination:ecmp_paths:well[1d])
                  and on (%(by)s) last_over_time(destination:ecmp_paths:well[1h] offset 5h)
                or
                  last_over_time(destination:ecmp_paths:settled[1d])
                    and on (%(by)s) last_over_time(%(paths)s[1h])
            ||| % { by: destination, paths: metric('ecmp_paths') }
          ),
        ],
      },
    ],
  },
}
