// Alerts about the network. Silence (a hop that keeps quiet while a later one answers) is no reason for any of them.
{
  local config = $._config,
  local alert = (import 'alert.libsonnet')(config),
  local metric = alert.metric,
  local values = { by: alert.destination, path: alert.path },
  // Without the reason: one that changes would start `for` again.
  local unjudged(reasons) =
    'max by (%s) (%s) == 1' % [alert.destination, metric('ecmp_destination_unjudged', 'reason=~"%s"' % reasons)],

  local loss = [
    alert.about(
      'EcmpPathLoss',
      'warning',
      |||
        path:ecmp_loss_in_use:ratio_rate5m > %(ratio)g
          and path:ecmp_loss_in_use:ratio_rate5m
            > on (%(by)s) group_left () %(over)g * destination:ecmp_path_loss:siblings_rate5m
          and path:ecmp_lost_probes:increase5m
            - path:ecmp_lost_probes:siblings5m - 3 * sqrt(path:ecmp_lost_probes:siblings5m) >= %(lost)g
      ||| % values { ratio: config.loss_ratio, over: config.loss_over_siblings, lost: config.lost_probes },
      'Path {{ $labels.path }} to {{ $labels.destination }} loses {{ $value | humanizePercentage }}',
      'From {{ $labels.instance }}, one of the equal-cost paths to {{ $labels.destination }} lost '
      + '{{ $value | humanizePercentage }} of its probes for five minutes, far more than its siblings: only those '
      + 'connections that routers put on this path suffer.',
      '5m',
      '5m'
    ),
    alert.make(
      'EcmpLinkLoss',
      'warning',
      '%s and on (job, instance, from, to) %s == 1' % [metric('ecmp_link_loss_ratio'), metric('ecmp_link_blamed')],
      'The link {{ $labels.from }} > {{ $labels.to }} loses {{ $value | humanizePercentage }}',
      'All flows of {{ $labels.instance }}, to all its destinations, say that it is the link from {{ $labels.from }} to '
      + '{{ $labels.to }} that loses, most likely {{ $value | humanizePercentage }}. Links that no flow tells apart have '
      + 'an alert each.',
      '5m',
      '5m'
    ),
    alert.about(
      'EcmpDestinationLoss',
      'warning',
      // As long as it is not down: one answer within two minutes. What was lost while it was down is within the window for
      // five minutes more, as long as that alert stays.
      |||
        destination:ecmp_loss:ratio_rate5m > %(ratio)g
          and on (%(by)s) sum by (%(by)s) (path:ecmp_lost_probes:increase5m) >= %(lost)g
          and on (%(by)s)
            destination:ecmp_path_loss:siblings_rate5m >= on (%(by)s) 0.5 * destination:ecmp_loss:ratio_rate5m
          and on (%(by)s) max_over_time(%(up)s[2m]) == 1
          unless on (%(by)s) ALERTS{alertname="EcmpDestinationDown", alertstate="firing"}
      ||| % values { ratio: config.loss_ratio, lost: config.lost_probes, up: metric('ecmp_destination_up') },
      'Most paths to {{ $labels.destination }} lose, {{ $value | humanizePercentage }} together',
      'From {{ $labels.instance }}, {{ $value | humanizePercentage }} of the probes to {{ $labels.destination }} were '
      + 'lost for five minutes, and most paths lose: the fault is where they run together, or at the destination.',
      '5m',
      '5m'
    ),
  ],

  local up = [
    alert.about(
      'EcmpDestinationDown',
      'critical',
      metric('ecmp_destination_up') + ' == 0',
      '{{ $labels.destination }} is not reached over any path',
      'No flow from {{ $labels.instance }} to {{ $labels.destination }} had an answer from it for two minutes.',
      '2m',
      '5m'
    ),
    alert.make(
      'EcmpAgentSeesMostDown',
      'critical',
      |||
        count by (job, instance) (%(up)s == 0) / count by (job, instance) (%(up)s) > %(ratio)g
          and on (job, instance) count by (job, instance) (%(up)s) >= %(least)g
      ||| % { up: metric('ecmp_destination_up'), ratio: config.most_down_ratio, least: config.most_down_destinations },
      '{{ $labels.instance }} reaches almost nothing: {{ $value | humanizePercentage }} of its destinations are down',
      '{{ $value | humanizePercentage }} of the destinations of {{ $labels.instance }} have not answered it for two '
      + 'minutes: the fault is most likely near the agent, or is a large one.',
      '2m',
      '5m'
    ),
    alert.about(
      'EcmpDestinationUnresolved',
      'warning',
      metric('ecmp_destination_unjudged', 'reason="not_resolved"') + ' == 1',
      'The name of {{ $labels.destination }} does not resolve',
      '{{ $labels.instance }} has had no address for the name of {{ $labels.destination }} for five minutes: it is not '
      + 'traced, which says nothing about whether it is reached.',
      '5m'
    ),
    alert.about(
      'EcmpDestinationNotTraced',
      'warning',
      metric('ecmp_destination_unjudged', 'reason="not_traced"') + ' == 1',
      '{{ $labels.destination }} is not traced',
      'Another destination of {{ $labels.instance }} has the address, protocol and source ports that '
      + '{{ $labels.destination }} would have.',
      '5m'
    ),
    alert.about(
      'EcmpDestinationUnobserved',
      'warning',
      unjudged('first_round|send_failed|unobserved'),
      '{{ $labels.instance }} cannot say whether {{ $labels.destination }} is up',
      'For five minutes no round of {{ $labels.instance }} to {{ $labels.destination }} was one that it could send and '
      + "observe: the fault is the agent's, and says nothing about the network.",
      '5m'
    ),
    alert.about(
      'EcmpDestinationUndecided',
      'warning',
      unjudged('suppressed|left_out|undecided'),
      '{{ $labels.destination }} limits its answers so far that nothing is known of it',
      'For half an hour {{ $labels.destination }} has not answered {{ $labels.instance }} so that loss could be told '
      + 'from its limit on answers.',
      '30m'
    ),
    alert.about(
      'EcmpDestinationSuppressed',
      'info',
      |||
        sum by (%(by)s) (rate(%(unjudged)s[15m]))
          / (
            sum by (%(by)s) (rate(%(unjudged)s[15m]))
              + sum by (%(by)s) (rate(%(probes)s[15m]))
          ) > %(ratio)g
          unless on (%(by)s) %(none)s == 1
      ||| % values {
        unjudged: metric('ecmp_flow_unjudged_total', 'reason=~"suppressed|undecided"'),
        probes: metric('ecmp_flow_probes_total'),
        none: metric('ecmp_destination_unjudged'),
        ratio: config.suppressed_ratio,
      },
      'Most rounds to {{ $labels.destination }} say nothing, since it limits its answers',
      '{{ $labels.destination }} suppresses so many answers to {{ $labels.instance }} that '
      + '{{ $value | humanizePercentage }} of the rounds can be no evidence. Loss is seen late, and small loss not at all.',
      '30m'
    ),
  ],

  local fan = [
    alert.about(
      'EcmpWidthShrank',
      'warning',
      |||
        (
          destination:ecmp_paths:max10m < on (%(by)s) max by (%(by)s) (%(expected)s)
            or
              (
                destination:ecmp_paths:max10m < on (%(by)s) last_over_time(destination:ecmp_paths:settled[15m])
                  and on (%(by)s) (
                    last_over_time(destination:ecmp_paths:settled[15m])
                        * (1 - 1 / last_over_time(destination:ecmp_paths:settled[15m]))
                          ^ on (%(by)s) sum by (%(by)s) (%(flows)s) < %(chance)g
                      or on (%(by)s) destination:ecmp_paths:max10m
                        < on (%(by)s) (
                          last_over_time(destination:ecmp_paths:settled[15m])
                            - 1.5 * sqrt(last_over_time(destination:ecmp_paths:settled[15m]))
                        )
                  )
                  unless on (%(by)s) %(expected)s
              )
        )
          unless on (%(by)s) %(none)s
      ||| % values {
        expected: metric('ecmp_destination_expected_paths'),
        none: metric('ecmp_destination_unjudged'),
        flows: metric('ecmp_path_flows'),
        chance: config.width_chance,
      },
      'Only {{ $value }} equal-cost paths to {{ $labels.destination }} are left',
      'For a quarter of an hour the flows from {{ $labels.instance }} to {{ $labels.destination }} were on at most '
      + '{{ $value }} paths, fewer than are expected or were there for most of the day before it began: capacity and '
      + 'redundancy are gone. The alert ends when the fan is as wide again.',
      '5m',
      '5m'
    ),
    alert.about(
      'EcmpPathsRefused',
      'warning',
      // Counted once for a flow; after that the flow is on no path.
      |||
        sum by (%(by)s) (increase(%(refused)s[15m])) > 0
          or
            sum by (%(by)s) (%(refused)s) > 0
              and on (%(by)s) count by (%(by)s) (%(ordinal)s == 0) > 0
      ||| % values {
        refused: metric('ecmp_destination_paths_refused_total'),
        ordinal: metric('ecmp_flow_path_ordinal'),
      },
      'There are more paths to {{ $labels.destination }} than {{ $labels.instance }} may keep',
      '{{ $labels.instance }} has found as many paths to {{ $labels.destination }} as '
      + 'limits.max_paths_per_destination allows; what flows on others see is in no figure of a path.',
      '5m'
    ),
    alert.about(
      'EcmpLowCoverage',
      'info',
      |||
        %(coverage)s < %(low)g
          and on (%(by)s)
            (max by (%(by)s) (%(paths)s) + 1)
                * (max by (%(by)s) (%(paths)s) / (max by (%(by)s) (%(paths)s) + 1))
                  ^ sum by (%(by)s) (%(flows)s) > %(chance)g
      ||| % values {
        coverage: metric('ecmp_path_coverage_probability'),
        low: config.low_coverage,
        paths: metric('ecmp_paths'),
        flows: metric('ecmp_path_flows'),
        chance: config.hidden_chance,
      },
      'Paths to {{ $labels.destination }} are probably hidden from {{ $labels.instance }}',
      'With a chance of {{ $value | humanizePercentage }} only, the flows from {{ $labels.instance }} to '
      + '{{ $labels.destination }} take all the paths there are. What is wrong on the others is not seen.',
      '2h'
    ),
    alert.about(
      'EcmpPathFlapping',
      'warning',
      'destination:ecmp_flow_path_changes:max_increase15m > %g' % config.path_changes,
      'Flows to {{ $labels.destination }} change their paths again and again',
      'A flow from {{ $labels.instance }} to {{ $labels.destination }} changed its path about {{ printf "%.0f" $value }} '
      + 'times in 15 minutes. Packets of one connection arrive out of order at each change.'
    ),
    alert.about(
      'EcmpRttSkew',
      'warning',
      |||
        destination:ecmp_rtt_skew_seconds:median_window > %(seconds)g
          and on (%(by)s)
            max by (%(by)s) (path:ecmp_rtt_seconds:median_window)
              > %(factor)g * min by (%(by)s) (path:ecmp_rtt_seconds:median_window)
      ||| % values { seconds: config.rtt_skew_seconds, factor: config.rtt_skew_factor },
      'Equal-cost paths to {{ $labels.destination }} differ by {{ $value | humanizeDuration }}',
      'From {{ $labels.instance }}, the medians of the round-trip times of the paths to {{ $labels.destination }} lie '
      + '{{ $value | humanizeDuration }} apart, more than a quarter of the fastest: one path is longer, or queues.',
      '10m',
      '5m'
    ),
  ],

  prometheusAlerts+:: { groups+: [{ name: 'ecmp_network', rules: loss + up + fan }] },
}
