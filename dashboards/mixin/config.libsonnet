// What users of the mixin may want otherwise: `(import 'mixin.libsonnet') + { _config+:: { selector: 'job="probes"' } }`.
{
  _config+:: {
    // Matchers, joined by commas, that every metric of the exporter is selected with in rules: 'job="ecmp", env="live"'.
    selector: '',
    // Which `up` is that of an agent even if it was never scraped. Agents of other jobs are known once they were. Jobs of
    // /probe have the `up` of what is traced, and those of /federate that of another Prometheus.
    agent_selector: 'job=~".*ecmp.*", job!~".*(probe|federation).*"',
    // Labels of destinations (`labels` of the configuration) that alerts about a destination get: ['site'].
    destination_labels: [],
    // Labels that every alert gets besides.
    alert_labels: {},
    // Where the runbook is: the name of the alert in small letters comes behind it.
    runbook_url: 'docs/runbook.md#',

    // Shares. A path has to lose more than this, and the destination when most paths lose.
    loss_ratio: 0.02,
    // How many times the loss of its siblings a path has to lose.
    loss_over_siblings: 2,
    // The least number of lost probes within five minutes: one of ten is no proof.
    lost_probes: 3,
    // Of STAMP streams, in one direction: hundreds of packets a minute show less loss than probes do.
    oneway_loss_ratio: 0.005,
    // The least number of packets lost in that direction within five minutes.
    oneway_lost_packets: 10,
    // Times within 15 minutes that a reflector began to count anew.
    reflector_restarts: 3,
    // Share of the requests that a reflector refuses.
    refused_ratio: 0.01,
    // An agent that reaches fewer than this share of its destinations has its own alert; from so many destinations on.
    most_down_ratio: 0.5,
    most_down_destinations: 3,
    // Medians of equal-cost paths may lie apart by so much, in seconds and as a factor.
    rtt_skew_seconds: 0.001,
    rtt_skew_factor: 1.25,
    // Changes of one flow within 15 minutes.
    path_changes: 3,
    // A narrower view of the fan counts if it is no more likely than this that so many flows miss a path by chance.
    width_chance: 0.05,
    // Flows are too few if the coverage is below this, and one path more than they see were missed with this chance: a
    // branch that few flows take lowers the coverage alone.
    low_coverage: 0.5,
    hidden_chance: 0.2,
    // Share of the rounds to a destination that its limit on answers leaves unknown.
    suppressed_ratio: 0.5,
    // Share of the probes that do not leave.
    send_error_ratio: 0.01,
    // Seconds that one of a hundred probes is late.
    lag_seconds: 0.1,

    // Of the boards.
    board_tags: ['ecmp'],
    board_refresh: '30s',
    board_time_from: 'now-1h',
  },
}
