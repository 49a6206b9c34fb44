// Alerts about what two ends see together: streams of STAMP packets and the reflectors that answer them.
{
  local config = $._config,
  local alert = (import 'alert.libsonnet')(config),
  local metric = alert.metric,

  local lossy(direction) =
    |||
      path:ecmp_oneway_loss:ratio_rate5m{direction="%(direction)s"} > %(ratio)g
        and path:ecmp_oneway_lost_packets:increase5m{direction="%(direction)s"} >= %(lost)g
    ||| % { direction: direction, ratio: config.oneway_loss_ratio, lost: config.oneway_lost_packets },

  local streams = [
    alert.about(
      'EcmpForwardLoss',
      'warning',
      lossy('forward'),
      'Path {{ $labels.path }} to {{ $labels.destination }} loses {{ $value | humanizePercentage }} on the way there',
      'Of the packets from {{ $labels.instance }} over path {{ $labels.path }}, {{ $value | humanizePercentage }} have not '
      + 'reached the reflector of {{ $labels.destination }} for five minutes.',
      '5m',
      '5m'
    ),
    alert.about(
      'EcmpReverseLoss',
      'warning',
      lossy('reverse'),
      '{{ $labels.destination }} to {{ $labels.instance }} loses {{ $value | humanizePercentage }}: replies to path '
      + '{{ $labels.path }}',
      'The reflector of {{ $labels.destination }} has answered, and {{ $value | humanizePercentage }} of its replies to the '
      + 'flows of path {{ $labels.path }} have not reached {{ $labels.instance }} for five minutes. They come back over '
      + 'paths of their own.',
      '5m',
      '5m'
    ),
  ],

  local reflectors = [
    alert.about(
      'EcmpReflectorDown',
      'warning',
      // Where the host itself is gone another alert says so.
      |||
        %(up)s == 0
          unless on (%(by)s) ALERTS{alertname="EcmpDestinationDown", alertstate="firing"}
      ||| % { up: metric('ecmp_reflector_up'), by: alert.destination },
      'The reflector of {{ $labels.destination }} does not answer',
      '{{ $labels.instance }} has had no reply from the reflector of {{ $labels.destination }} for five minutes, and '
      + 'reaches its host. Neither loss nor delay in a direction is known.',
      '5m',
      '5m'
    ),
    alert.about(
      'EcmpReflectorUndirected',
      'info',
      |||
        max by (%(by)s) (%(info)s) == 1
          and on (%(by)s) %(up)s == 1
      ||| % {
        by: alert.destination,
        info: metric('ecmp_reflector_info', 'mode=~"unknown|stateless"'),
        up: metric('ecmp_reflector_up'),
      },
      'The reflector of {{ $labels.destination }} does not show in which direction packets are lost',
      'For half an hour the reflector of {{ $labels.destination }} has answered {{ $labels.instance }} without counting: '
      + 'losses are those of round trips.',
      '30m'
    ),
    alert.about(
      'EcmpReflectorRestarts',
      'warning',
      'sum by (%s) (increase(%s[15m])) > %g'
      % [alert.destination, metric('ecmp_reflector_restarts_total'), config.reflector_restarts],
      'The reflector of {{ $labels.destination }} begins to count anew again and again',
      'For {{ $labels.instance }} the reflector of {{ $labels.destination }} has begun anew about '
      + '{{ printf "%.0f" $value }} times in 15 minutes: it restarts, forgets its sessions, or several answer in turn.'
    ),
    alert.make(
      'EcmpReflectorRefuses',
      'warning',
      // What the kernel did not send or read in time is refused as well.
      |||
        sum by (job, instance, reason) (rate(%(refused)s[5m])) > 0.1
          and on (job, instance)
            sum by (job, instance) (rate(%(refused)s[5m]))
              > %(ratio)g * (
                sum by (job, instance) (rate(%(refused)s[5m])) + sum by (job, instance) (rate(%(reflected)s[5m]))
              )
      ||| % {
        refused: metric('ecmp_exporter_reflector_refused_total'),
        reflected: metric('ecmp_exporter_reflected_total'),
        ratio: config.refused_ratio,
      },
      'The reflector of {{ $labels.instance }} refuses {{ $value | humanize }} requests a second: {{ $labels.reason }}',
      'For ten minutes the reflector of {{ $labels.instance }} has not answered a share of the requests. To their senders '
      + 'that looks as if they had been lost on the way there. Its log names a source.',
      '10m',
      '5m'
    ),
  ],

  prometheusAlerts+:: { groups+: [{ name: 'ecmp_mesh', rules: streams + reflectors }] },
}
