// Alerts about the agents themselves: what they do not see, they do not report either.
{
  local config = $._config,
  local alert = (import 'alert.libsonnet')(config),
  local own(name, more='') = alert.metric('ecmp_exporter_' + name, more),
  local by = 'job, instance',
  local rate(name, window, of='rate') = 'sum by (%s) (%s(%s[%s]))' % [by, of, own(name), window],

  local alive = [
    // An agent that was never scraped is known by its job; another one from its first scrape on, as long as it is away.
    alert.make(
      'EcmpAgentDown',
      'critical',
      |||
        up{%(agents)s} == 0
          or
            up == 0
              and on (%(by)s) (
                last_over_time(%(build)s[6h]) or on (%(by)s) ALERTS{alertname="EcmpAgentDown"}
              )
      ||| % { agents: config.agent_selector, by: by, build: own('build_info') },
      'The agent {{ $labels.instance }} is not scraped',
      'Prometheus has not had an answer from {{ $labels.instance }} for five minutes. What it watches is not watched.',
      '5m'
    ),
    alert.make(
      'EcmpAgentStalled',
      'critical',
      |||
        %(sent)s
          + %(failed)s == 0
          and on (%(by)s) count by (%(by)s) (
            %(info)s unless on (%(destination)s) %(waiting)s
          ) > 0
      ||| % {
        by: by,
        sent: rate('probes_sent_total', '15m'),
        failed: rate('send_errors_total', '15m'),
        info: alert.metric('ecmp_destination_info'),
        destination: alert.destination,
        waiting: alert.metric('ecmp_destination_unjudged', 'reason=~"not_resolved|not_traced"'),
      },
      '{{ $labels.instance }} answers, and probes nothing',
      '{{ $labels.instance }} has destinations, and has sent no probe for a quarter of an hour: its probing loop stands '
      + 'still. All that it reports is old.',
      '5m'
    ),
    alert.make(
      'EcmpAgentLagging',
      'warning',
      |||
        (
          histogram_quantile(0.99, sum by (%(by)s) (rate(%(lag)s[5m])))
            or histogram_quantile(0.99, sum by (%(by)s, le) (rate(%(buckets)s[5m])))
        ) > %(seconds)g
      ||| % {
        by: by,
        lag: own('schedule_lag_seconds'),
        buckets: own('schedule_lag_seconds_bucket'),
        seconds: config.lag_seconds,
      },
      '{{ $labels.instance }} sends its probes {{ $value | humanizeDuration }} late',
      'One of a hundred probes of {{ $labels.instance }} leaves {{ $value | humanizeDuration }} or more after it was '
      + 'due: the host is short of processor time, or too much is asked of it.',
      '10m',
      '5m'
    ),
    alert.make(
      'EcmpAgentRoundsSkipped',
      'warning',
      'rate(%s[5m]) > 0' % own('rounds_skipped_total'),
      '{{ $labels.instance }} skips rounds',
      '{{ $labels.instance }} skips {{ printf "%.2g" $value }} rounds a second: it cannot do within the interval what '
      + 'its configuration asks for.',
      '10m',
      '5m'
    ),
  ],

  local seeing = [
    alert.make(
      'EcmpAgentCaptureDrops',
      'warning',
      'increase(%s[10m]) > 0' % own('capture_dropped_total'),
      '{{ $labels.instance }} loses captured packets',
      'The kernel dropped about {{ $value | humanize }} packets within ten minutes because the capture buffer of '
      + '{{ $labels.instance }} was full. Answers may be among them: loss that it reports may be its own.'
    ),
    alert.make(
      'EcmpAgentSendErrors',
      'warning',
      '%s\n  > %g * %s' % [
        rate('send_errors_total', '5m'),
        config.send_error_ratio,
        rate('probes_sent_total', '5m'),
      ],
      '{{ $labels.instance }} cannot send its probes',
      '{{ printf "%.3g" $value }} probes a second do not leave {{ $labels.instance }}. They count as no loss, so what '
      + 'they should have watched is not watched.',
      '5m',
      '5m'
    ),
    alert.make(
      'EcmpAgentSeriesDropped',
      'warning',
      '%s > 0' % rate('series_dropped_total', '15m', 'increase'),
      '{{ $labels.instance }} leaves series out',
      '{{ $labels.instance }} has more to report than limits.max_series allows, and leaves out whole families, those of '
      + 'hops first.'
    ),
    alert.make(
      'EcmpAgentHistoryNotWritten',
      'warning',
      |||
        %(writable)s == 0
          or on (%(by)s) %(dropped)s > 0
      ||| % {
        by: by,
        writable: own('history_disk_writable'),
        dropped: rate('history_dropped_total', '15m', 'increase'),
      },
      '{{ $labels.instance }} cannot write its history',
      'Rounds and events of {{ $labels.instance }} do not reach history.directory: its disk is full, read-only or too '
      + 'slow. After a restart they are gone.',
      '5m'
    ),
  ],

  local configured = [
    alert.make(
      'EcmpAgentReloadFailed',
      'warning',
      own('config_last_reload_successful') + ' == 0',
      '{{ $labels.instance }} runs on an old configuration',
      '{{ $labels.instance }} could not load its configuration, and goes on with the one before. After a restart it '
      + 'would not start.',
      '5m'
    ),
    alert.make(
      'EcmpAgentDiscoveryDown',
      'warning',
      own('discovery_source_up') + ' == 0',
      '{{ $labels.instance }} goes on with old destinations of {{ $labels.source }}',
      'What {{ $labels.source }} gives for destinations is missing or bad. {{ $labels.instance }} keeps those that it '
      + 'gave last; new ones are not watched, and after a restart none of them is.',
      '10m'
    ),
    alert.make(
      'EcmpAgentDestinationsLeftOut',
      'warning',
      own('destinations_left_out') + ' > 0',
      '{{ $labels.instance }} leaves {{ $value }} destinations out ({{ $labels.reason }})',
      '{{ $value }} destinations that {{ $labels.instance }} is given are not watched: another source has their name or '
      + 'flows, or there are more than limits.max_destinations.',
      '10m'
    ),
  ],

  prometheusAlerts+:: { groups+: [{ name: 'ecmp_agent', rules: alive + seeing + configured }] },
}
