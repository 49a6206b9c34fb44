// The hops of one path (or a few): who answers, where loss begins, and what is only silence.
local p = import 'panels.libsonnet';
local q = import 'promql.libsonnet';
local variables = import 'variables.libsonnet';

local where = q.hop;
local by = q.by_hop;
local hop_name = '{{ttl}} {{hop}} ({{path}})';
local rtt = 'ecmp_hop_rtt_seconds';
local jitter = 'ecmp_hop_jitter_seconds';
local loss = 'ecmp_hop_loss_ratio';

local at_a_glance = [
  p.stat(
    'Loss, end to end',
    'Share of the end-to-end probes of the chosen paths that had no answer.',
    p.series(q.loss('path', q.path, []), 'loss'),
    'percentunit',
    p.loss_steps,
    6,
    decimals=2,
    graph=true
  ),
  p.stat(
    'Flows',
    'Flows on the chosen paths.',
    p.series('sum(ecmp_path_flows{%s})' % q.path, 'flows'),
    'none',
    p.plain,
    6,
    decimals=0,
    graph=true
  ),
  p.stat(
    'Longest path',
    'Hops of the longest of the chosen paths, the destination included.',
    p.series('max(ecmp_path_hops{%s})' % q.path, 'hops'),
    'none',
    p.plain,
    6,
    decimals=0
  ),
  p.stat(
    'Silence of the hops',
    'Share of the probes that a hop did not answer while a later one did. It says something about the answering, often '
    + 'an ICMP limit, and nothing about the traffic.',
    p.series(q.hop_share('silences', where, []), 'silence'),
    'percentunit',
    p.silence_steps,
    6,
    decimals=2,
    graph=true
  ),
];

local hops =
  local sent = q.increase('ecmp_hop_probes_total', where, by);
  local targets = [
    p.instant(q.named(sent, 'ecmp_path_hop_info{%s}' % where), 'sent'),
    p.instant(q.hop_share('losses', where, by, q.range), 'loss'),
    p.series(q.hop_share('losses', where, by), '__auto', 'losses'),
    p.instant(q.hop_share('silences', where, by, q.range), 'silence'),
    p.instant(q.quantile(0.5, rtt, where, by, q.range), 'p50'),
    p.instant(q.quantile(0.95, rtt, where, by, q.range), 'p95'),
    p.instant(q.quantile(0.99, rtt, where, by, q.range), 'p99'),
    p.instant(q.quantile(0.99, jitter, where, by, q.range), 'jitter'),
  ];
  local columns = [
    ['path', 'Path'],
    ['ttl', 'TTL'],
    ['hop', 'Hop'],
    ['name', 'Name'],
    ['asn', 'AS'],
    ['mpls', 'MPLS'],
    ['Value #sent', 'Probes'],
    ['Value #loss', 'Loss'],
    ['Trend #losses', 'Loss over time'],
    ['Value #silence', 'Silence'],
    ['Value #p50', 'RTT p50'],
    ['Value #p95', 'RTT p95'],
    ['Value #p99', 'RTT p99'],
    ['Value #jitter', 'Jitter p99'],
  ];
  local overrides = [
    p.width_column('Path', 100),
    p.number_column('TTL', 60),
    p.number_column('Probes', 90),
    p.width_column('AS', 80),
    p.loss_column('Loss', width=90),
    p.trend_column('Loss over time', 'percentunit', p.red, 150),
    p.loss_column('Silence', p.silence_steps, 90),
    p.seconds_column('RTT p50', 90),
    p.seconds_column('RTT p95', 90),
    p.seconds_column('RTT p99', 90),
    p.seconds_column('Jitter p99', 90),
  ];
  p.table(
    'Hops',
    'What mtr shows, of every chosen path at once and over the time range. Loss: no answer from this hop nor any beyond; '
    + "silence: none from this hop, but from a later one. Only the last hop's loss is sure. Heavy loss shows at every hop "
    + 'behind its cause; light loss as silence of all of them, and as loss at the end. Silence of one hop alone is that '
    + "hop's way of answering, and harms nobody.",
    targets,
    columns,
    ['job', 'instance', 'destination'],
    24,
    13,
    overrides,
    [['Path', false], ['TTL', false]],
    ['losses'],
    ['ttl']
  );

local over_time =
  local mirrored = p.override(
    'B', { 'custom.transform': 'negative-Y', color: { mode: 'fixed', fixedColor: p.blue } }, 'byFrameRefID'
  );
  [
    p.graph(
      'Loss against silence',
      'Loss upwards in red, silence downwards in blue, for each hop. Loss of the traffic shows from a hop on up to the '
      + 'last one, silence of one hop alone means nothing.',
      [
        p.series(q.hop_share('losses', where, by), 'loss ' + hop_name),
        p.series(q.hop_share('silences', where, by), 'silence ' + hop_name, 'B'),
      ],
      'percentunit',
      24,
      10,
      color={ mode: 'fixed', fixedColor: p.red },
      minimum=null,
      right=true,
      fill=10,
      overrides=[mirrored]
    ),
    p.graph(
      'RTT p50 of each hop',
      'Median round-trip time to a hop. A hop that answers slowly and passes on fast is no trouble: look at what follows '
      + 'it.',
      [p.series(q.quantile(0.5, rtt, where, by), hop_name)],
      's'
    ),
    p.graph(
      'RTT p99 of each hop',
      '99 of 100 answers of a hop came within this time.',
      [p.series(q.quantile(0.99, rtt, where, by), hop_name)],
      's'
    ),
    p.graph(
      'Jitter p99 of each hop',
      '99 of 100 differences of consecutive round-trip times of a flow were below this.',
      [p.series(q.quantile(0.99, jitter, where, by), hop_name)],
      's'
    ),
    p.graph(
      'Loss over the rolling window',
      'Loss of hops as the agent keeps it itself, over window.duration of its configuration.',
      [p.series('max by (%s) (ecmp_hop_window_loss_ratio{%s})' % [q.listed(by), where], hop_name)],
      'percentunit',
      steps=p.loss_steps,
      maximum=0.01
    ),
  ];

local heatmaps(make, of, suffix) = [
  p.heatmap(
    'RTT' + suffix, 'Round-trip times to the chosen hops; %s.' % of, p.heat(make(rtt, where)), 's', 8
  ),
  p.heatmap(
    'Jitter' + suffix,
    'Differences of consecutive round-trip times of a flow to a hop; %s.' % of,
    p.heat(make(jitter, where)),
    's',
    8
  ),
  p.heatmap(
    'Loss in rounds' + suffix,
    'Loss at a hop within one round of all flows of its path; %s.' % of,
    p.heat(make(loss, where)),
    'percentunit',
    8,
    scheme='Reds'
  ),
];

function(config)
  p.board(
    config,
    'ecmp-path',
    'ECMP / Path and hop',
    'Hop by hop along the chosen paths: loss, silence, round-trip times and jitter, with names where reverse DNS knows '
    + 'them.',
    ['path'],
    [variables.job, variables.instance, variables.destination(false), variables.path, variables.hop],
    [
      ['At a glance', false, at_a_glance],
      ['Hops', false, [hops]],
      ['Over time', false, over_time],
      ['Distribution (native histograms)', false, heatmaps(q.native_heatmap, 'from native histograms', '')],
      [
        'Distribution (classic histograms, where Prometheus takes no native ones)',
        true,
        heatmaps(q.classic_heatmap, 'from classic buckets', ' (classic)'),
      ],
    ],
    [variables.path_changes]
  )
