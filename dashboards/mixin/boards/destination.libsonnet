// One destination (or a few): its fan, its paths, and which flow is on which path.
local p = import 'panels.libsonnet';
local q = import 'promql.libsonnet';
local variables = import 'variables.libsonnet';

local where = q.destination;
local path_name = '{{path}} to {{destination}}';
local to_path = p.link_to(
  'ecmp-path', 'Hops of this path', [['destination', 'Destination'], ['instance', 'Agent'], ['path', 'Path']]
);
local rtt = 'ecmp_path_rtt_seconds';
local jitter = 'ecmp_path_jitter_seconds';

local at_a_glance = [
  p.stat(
    'State',
    'Whether any flow reached the destination in its last round; of several destinations the worst.',
    p.value_now('min(ecmp_destination_up{%s})' % where),
    'none',
    p.bad_if_zero,
    mappings=p.up,
    color_mode='background'
  ),
  p.stat(
    'Paths in use now',
    'Different paths that flows are on now; of each destination as the agent sees it that sees most of them.',
    p.series('sum(max by (destination) (ecmp_paths{%s}))' % where, 'paths'),
    'none',
    p.plain,
    decimals=0,
    graph=true
  ),
  p.stat(
    'Flows traced',
    'Flows that are traced. Each stays on one path as long as routers balance by flow.',
    p.value_now('sum(ecmp_path_flows{%s})' % where),
    'none',
    p.plain,
    decimals=0
  ),
  p.stat(
    'Loss',
    'Share of the end-to-end probes that had no answer.',
    p.series(q.loss('path', where, []), 'loss'),
    'percentunit',
    p.loss_steps,
    decimals=2,
    graph=true
  ),
  p.stat(
    'RTT p50',
    'Median of the end-to-end round-trip times, over all paths.',
    p.series(q.quantile(0.5, rtt, where, []), 'p50'),
    's',
    p.plain,
    decimals=2,
    graph=true
  ),
  p.stat(
    'RTT p99',
    '99 of 100 end-to-end probes were answered within this time.',
    p.series(q.quantile(0.99, rtt, where, []), 'p99'),
    's',
    p.plain,
    decimals=2,
    graph=true
  ),
];

// All that stands at an end of a link, but the agents; were one missing, the panel would break.
local responders =
  local ends = std.join(' or ', [
    'group by (job, instance, hop) (%s)' % q.relabel('ecmp_link_flows{%s}' % where, 'hop', end)
    for end in ['from', 'to']
  ]);
  '(%s or group by (job, instance, hop) (ecmp_path_hop_info{%s, ttl="1"}))' % [ends, where];

local nodes =
  local by = q.listed(q.responder);
  local known = responders;
  local loss = q.loss_through(where, q.step);
  local valued = '(%s and on (%s) %s or on (%s) %s * 0)' % [loss, by, known, by, known];
  local titled =
    q.relabel(q.relabel(q.relabel(q.named(valued, known), 'id', 'hop'), 'title', 'hop'), 'title', 'name', '(.+)');
  // The address below the name, where there is one; else the address is the title already.
  local joined = 'label_join(%s, "subtitle", "#", "name", "hop")' % titled;
  local shown = q.relabel(
    q.relabel(q.relabel(joined, 'subtitle', 'subtitle', '.+#(.*)'), 'subtitle', 'subtitle', '#.*', ''),
    'detail__as',
    'asn'
  );
  local own = 'group by (job, instance) (ecmp_destination_info{%s}) * 0' % where;
  local agents =
    q.relabel(q.relabel(q.relabel(own, 'id', 'instance'), 'title', 'instance'), 'subtitle', 'job', '(.*)', 'agent');
  // Two agents may know a responder by different names: one node all the same.
  'topk by (id) (1, %s or %s)' % [shown, agents];

local edges =
  local between =
    q.relabel(q.relabel('sum by (from, to) (ecmp_link_flows{%s})' % where, 'source', 'from'), 'target', 'to');
  local at = q.listed(q.by_path);
  local first =
    ('sum by (instance, hop) (ecmp_path_hop_info{%s, ttl="1"} * on (%s) group_left ()'
     + ' sum by (%s) (ecmp_path_flows{%s}) > 0)') % [where, at, at, where];
  local from_agents = q.relabel(q.relabel(first, 'source', 'instance'), 'target', 'hop');
  local drawn = 'sum by (source, target) (%s or %s)' % [between, from_agents];
  'label_join(%s, "id", " > ", "source", "target") * 100 / scalar(sum(ecmp_path_flows{%s}))' % [drawn, where];

// The node graph looks at the names of fields, which renaming leaves alone: new fields have to be made.
local computed(alias, left, operator, right) = {
  id: 'calculateField',
  options: {
    alias: alias,
    mode: 'binary',
    reduce: { reducer: 'sum' },
    binary: { left: left, operator: operator, right: right },
    replaceFields: false,
    // The two tables stay two: as series in time they would be joined.
    timeSeries: false,
  },
};

local fan = p.panel(
  'nodeGraph',
  'The fan',
  'Every responder on the way of the flows, from the agent to the destination. A link is as wide as its share of the '
  + 'flows. The ring around a responder is red for the end-to-end loss of the paths through it: reddest where only lossy '
  + 'paths pass.',
  [p.instant(nodes, 'nodes'), p.instant(edges, 'edges')],
  24,
  15,
  { unit: 'none', decimals: 1 },
  { nodes: { mainStatUnit: '%' }, edges: { secondaryStatUnit: '%' } },
  [
    p.override('arc__lost', { color: { mode: 'fixed', fixedColor: p.red }, displayName: 'lost by paths through it' }),
    p.override('arc__answered', { color: { mode: 'fixed', fixedColor: 'green' }, displayName: 'not lost' }),
  ],
  [
    computed('mainstat', 'Value #nodes', '*', '100'),
    computed('arc__lost', 'Value #nodes', '*', '1'),
    computed('arc__answered', '1', '-', 'Value #nodes'),
    computed('secondarystat', 'Value #edges', '*', '1'),
    computed('thickness', 'Value #edges', '*', '0.1'),
  ]
);

local paths =
  local by = q.by_path;
  local targets = [
    p.instant('sum by (%s) (ecmp_path_flows{%s})' % [q.listed(by), where], 'flows'),
    p.instant('max by (%s) (ecmp_path_hops{%s})' % [q.listed(by), where], 'hops'),
    p.instant(q.loss('path', where, by, q.range), 'loss'),
    p.series(q.loss('path', where, by), '__auto', 'losses'),
    p.instant(q.quantile(0.5, rtt, where, by, q.range), 'p50'),
    p.instant(q.quantile(0.99, rtt, where, by, q.range), 'p99'),
    p.series(q.quantile(0.99, rtt, where, by), '__auto', 'rtts'),
    p.instant(q.quantile(0.99, jitter, where, by, q.range), 'jitter'),
  ];
  local columns = [
    ['destination', 'Destination'],
    ['path', 'Path'],
    ['instance', 'Agent'],
    ['Value #hops', 'Hops'],
    ['Value #flows', 'Flows now'],
    ['Value #loss', 'Loss'],
    ['Trend #losses', 'Loss over time'],
    ['Value #p50', 'RTT p50'],
    ['Value #p99', 'RTT p99'],
    ['Trend #rtts', 'RTT p99 over time'],
    ['Value #jitter', 'Jitter p99'],
  ];
  local overrides = [
    p.override('Path', { links: to_path, 'custom.width': 120 }),
    p.number_column('Hops', 80),
    p.number_column('Flows now', 100),
    p.loss_column('Loss'),
    p.trend_column('Loss over time', 'percentunit', p.red, 220),
    p.seconds_column('RTT p50'),
    p.seconds_column('RTT p99'),
    p.trend_column('RTT p99 over time', 's', p.blue, 220),
    p.seconds_column('Jitter p99'),
  ];
  p.table(
    'Paths',
    'Every path that flows took within the time range, with what it lost and how long it took. A path that no flow is on '
    + 'any more stays for a while. A click leads to its hops.',
    targets,
    columns,
    ['job'],
    24,
    10,
    overrides,
    [['Loss', true]],
    ['losses', 'rtts']
  );

local flows =
  local of_flow = 'instance, destination, flow';
  local by = ['instance', 'destination', 'flow'];
  local ordinal = p.series(
    'max by (%s) (ecmp_flow_path_ordinal{%s})' % [of_flow, where], '{{destination}} {{flow}}'
  );
  local which = p.table(
    'Flows',
    'The path each flow is on now. To reproduce what a flow sees, send from its source port.',
    [
      p.instant('max by (%s, source_address) (ecmp_flow_info{%s})' % [of_flow, where], 'info'),
      p.instant('max by (%s, path) (ecmp_flow_path_info{%s})' % [of_flow, where], 'path'),
      p.instant(q.loss('flow', where, by, q.range), 'loss'),
      p.instant(q.increase('ecmp_flow_path_changes_total', where, by), 'changes'),
    ],
    [
      ['destination', 'Destination'],
      ['flow', 'Flow'],
      ['source_address', 'From'],
      ['path', 'Path'],
      ['instance', 'Agent'],
      ['Value #loss', 'Loss'],
      ['Value #changes', 'Changes'],
    ],
    ['Value #info', 'Value #path'],
    12,
    11,
    [
      p.number_column('Flow', 90),
      p.override('Path', { links: to_path, 'custom.width': 110 }),
      p.loss_column('Loss'),
      p.number_column('Changes'),
    ],
    [['Loss', true]],
    numbers=['flow']
  );
  [
    p.timeline(
      'Path of each flow',
      'Which path a flow was on: a colour for each path of a destination, numbered in the order of appearance.',
      ordinal,
      p.ordinal_mappings(),
      12,
      11
    ),
    which,
  ];

local over_time =
  local by = q.by_path;
  local refusals = q.rate('ecmp_destination_unreachable_replies_total', where, ['destination', 'reply', 'hop']);
  // A line at zero says more than "No data".
  local no_refusals = q.relabel(
    q.relabel('sum by (destination) (ecmp_paths{%s}) * 0' % where, 'reply', '', '', 'none'), 'hop', '', '', 'any hop'
  );
  [
    p.graph(
      'Loss of each path',
      'Share of the end-to-end probes of a path that had no answer.',
      [p.series(q.loss('path', where, by), path_name)],
      'percentunit',
      steps=p.loss_steps,
      maximum=0.01
    ),
    p.graph(
      'RTT p99 of each path',
      'Equal-cost paths should not differ much.',
      [p.series(q.quantile(0.99, rtt, where, by), path_name)],
      's'
    ),
    p.graph(
      'RTT over the rolling window',
      'Median and 99th percentile that the agent keeps itself, over window.duration of its configuration: there also '
      + 'where no histograms are stored.',
      [
        p.series(
          'max by (instance, destination, quantile) (ecmp_path_window_rtt_seconds{%s, quantile=~"0.5|0.99"})' % where,
          'worst path, quantile {{quantile}}, {{destination}}'
        ),
      ],
      's'
    ),
    p.graph(
      'Flows on each path',
      'How the routers deal out the flows.',
      [p.series('sum by (%s) (ecmp_path_flows{%s})' % [q.listed(by), where], path_name)],
      'none',
      stack=true,
      fill=30,
      stepped=true,
      decimals=0
    ),
    p.graph(
      'Path changes',
      'Confirmed changes of the paths of flows, by kind.',
      [
        p.series(
          q.increase('ecmp_flow_path_changes_total', where, ['destination', 'kind'], q.step),
          '{{kind}} to {{destination}}'
        ),
      ],
      'none',
      stack=true,
      bars=true
    ),
    p.graph(
      'Refusals',
      'Answers that refuse a probe, by their reason and by who sent them.',
      [p.series('%s or on (destination) %s' % [refusals, no_refusals], '{{reply}} from {{hop}} for {{destination}}')],
      'pps',
      stack=true,
      fill=30
    ),
  ];

local heatmaps(make, of, suffix) = [
  p.heatmap(
    'RTT' + suffix,
    'End-to-end round-trip times over all chosen paths; %s. Two bands are two sorts of paths.' % of,
    p.heat(make(rtt, where)),
    's'
  ),
  p.heatmap(
    'Jitter' + suffix,
    'Differences of consecutive round-trip times within one flow; %s.' % of,
    p.heat(make(jitter, where)),
    's'
  ),
];

function(config)
  p.board(
    config,
    'ecmp-destination',
    'ECMP / Destination',
    'The equal-cost paths to a destination: drawn as a graph, in a table, and which flow was on which of them when.',
    ['destination'],
    [variables.job, variables.instance, variables.destination(false)],
    [
      ['At a glance', false, at_a_glance],
      ['Fan and paths', false, [fan, paths]],
      ['Flows', false, flows],
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
