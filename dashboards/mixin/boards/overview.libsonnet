// All destinations at a glance, and what is worst among them.
local p = import 'panels.libsonnet';
local q = import 'promql.libsonnet';
local variables = import 'variables.libsonnet';

local where = q.destination;
local name = '{{destination}} ({{instance}})';
local to_destination = p.link_to(
  'ecmp-destination', 'Paths to this destination', [['destination', 'Destination'], ['instance', 'Agent']]
);
local to_path = p.link_to(
  'ecmp-path', 'Hops of this path', [['destination', 'Destination'], ['instance', 'Agent'], ['path', 'Path']]
);
local worst = 10;
local lossy = 0.005;
local by_destination = q.listed(q.by_destination);
local by_path = q.listed(q.by_path);
local up = 'max by (%s) (ecmp_destination_up{%s})' % [by_destination, where];

// How many lossy paths pass a responder, and how many paths at all.
local lossy_and_all(responder='hop') =
  local by = 'job, instance, ' + responder;
  local hops = 'ecmp_path_hop_info{%s}' % where;
  local bad = '%s and on (%s) (%s > %g)' % [hops, by_path, q.loss('path', where, q.by_path, q.range), lossy];
  local named(expression) = if responder == 'hop' then expression else q.relabel(expression, responder, 'hop');
  ['count by (%s) (%s)' % [by, named(bad)], 'count by (%s) (%s)' % [by, named(hops)]];

// Lossy paths through a responder, times their share of all through it: high where only they pass.
local score(responder='hop') = '%s ^ 2 / %s' % lossy_and_all(responder);

// The score of the worse one of a link's ends.
local worst_links =
  local links = '(sum by (job, instance, from, to) (ecmp_link_flows{%s}) > bool 0)' % where;
  local ends = std.join(' or ', [
    'label_replace(%s * on (job, instance, %s) group_left () (%s), "end", "%s", "", "")' % [links, end, score(end), end]
    for end in ['from', 'to']
  ]);
  'topk(%d, max by (job, instance, from, to) (%s))' % [worst, ends];

local at_a_glance = [
  p.stat(
    'Destinations traced',
    'How many destinations the chosen agents trace and have reported the state of.',
    p.value_now('count(%s)' % up),
    'none',
    p.plain,
    decimals=0
  ),
  p.stat(
    'Down',
    'Destinations that no flow reached in its last round.',
    p.value_now('sum(%s == bool 0)' % up),
    'none',
    [[null, p.green], [1, p.red]],
    color_mode='background',
    decimals=0
  ),
  p.stat(
    'Loss of all paths',
    'Share of all end-to-end probes that the destinations did not answer.',
    p.series(q.loss('path', where, []), 'loss'),
    'percentunit',
    p.loss_steps,
    decimals=2,
    graph=true
  ),
  p.stat(
    'Loss of the worst path',
    'Loss of the path that loses most: an average over all paths hides it.',
    p.series('max(%s)' % q.loss('path', where, q.by_path), 'worst path'),
    'percentunit',
    p.loss_steps,
    decimals=2,
    graph=true
  ),
  p.stat(
    'Paths in use now',
    'Paths that flows are on now, over all destinations; of each as the agent sees it that sees most of them.',
    p.series('sum(max by (destination) (ecmp_paths{%s}))' % where, 'paths'),
    'none',
    p.plain,
    decimals=0,
    graph=true
  ),
  p.stat(
    'Changes of paths',
    'Confirmed changes of the paths of flows within the time range.',
    p.value_now(q.increase('ecmp_flow_path_changes_total', where, [])),
    'none',
    p.good_if_zero,
    decimals=0
  ),
];

local destinations =
  local by = q.by_destination;
  local rtt = 'ecmp_path_rtt_seconds';
  local targets = [
    p.instant('max by (%s, address, protocol) (ecmp_destination_info{%s})' % [by_destination, where], 'info'),
    p.instant(up, 'up'),
    p.instant('max by (%s) (ecmp_paths{%s})' % [by_destination, where], 'paths'),
    p.instant(q.loss('path', where, by, q.range), 'loss'),
    p.series(q.loss('path', where, by), '__auto', 'losses'),
    p.instant(q.quantile(0.5, rtt, where, by, q.range), 'p50'),
    p.instant(q.quantile(0.99, rtt, where, by, q.range), 'p99'),
    p.series(q.quantile(0.99, rtt, where, by), '__auto', 'rtts'),
    p.instant(q.increase('ecmp_flow_path_changes_total', where, by), 'changes'),
  ];
  local columns = [
    ['destination', 'Destination'],
    ['instance', 'Agent'],
    ['address', 'Address'],
    ['protocol', 'Protocol'],
    ['Value #up', 'State'],
    ['Value #paths', 'Paths'],
    ['Value #loss', 'Loss'],
    ['Trend #losses', 'Loss over time'],
    ['Value #p50', 'RTT p50'],
    ['Value #p99', 'RTT p99'],
    ['Trend #rtts', 'RTT p99 over time'],
    ['Value #changes', 'Changes'],
  ];
  local overrides = [
    p.override('Destination', { links: to_destination, 'custom.width': 190 }),
    p.width_column('Agent', 170),
    p.width_column('Protocol', 80),
    p.override('State', {
      mappings: p.up,
      unit: 'none',
      'custom.width': 80,
      'custom.cellOptions': { type: 'color-background', mode: 'basic' },
    }),
    p.number_column('Paths', 80),
    p.loss_column('Loss'),
    p.trend_column('Loss over time', 'percentunit', p.red),
    p.seconds_column('RTT p50'),
    p.seconds_column('RTT p99'),
    p.trend_column('RTT p99 over time', 's', p.blue),
    p.number_column('Changes'),
  ];
  p.table(
    'Destinations',
    'Every destination: its state, and over the time range its loss, round-trip times, and changes of the paths of its '
    + 'flows. Worst first; a click on a name leads to its paths.',
    targets,
    columns,
    ['job', 'Value #info'],
    24,
    11,
    overrides,
    [['Loss', true]],
    ['losses', 'rtts']
  );

local over_time =
  local by = q.by_destination;
  [
    p.graph(
      'Loss',
      'Share of the end-to-end probes of a destination that it did not answer.',
      [p.series(q.loss('path', where, by), name)],
      'percentunit',
      steps=p.loss_steps,
      maximum=0.01
    ),
    p.graph(
      'RTT p99',
      '99 of 100 end-to-end probes were answered within this time, over all paths of a destination.',
      [p.series(q.quantile(0.99, 'ecmp_path_rtt_seconds', where, by), name)],
      's'
    ),
    p.graph(
      'Paths in use',
      'How many different paths the flows of a destination are on.',
      [p.series('max by (%s) (ecmp_paths{%s})' % [by_destination, where], name)],
      'none',
      stepped=true,
      decimals=0
    ),
    p.graph(
      'Path changes',
      'Confirmed changes of the paths of flows: reroute (new responders), remap (the same ones, flows permuted), width '
      + '(the fan grew or shrank), per_packet (a flow alternates).',
      [p.series(q.increase('ecmp_flow_path_changes_total', where, ['kind'], q.step), '{{kind}}')],
      'none',
      stack=true,
      bars=true
    ),
  ];

local worst_paths =
  local loss = 'topk(%d, %s > 0)' % [worst, q.loss('path', where, q.by_path, q.range)];
  local flows = 'sum by (%s) (ecmp_path_flows{%s})' % [by_path, where];
  p.table(
    'Worst paths',
    'The %d paths that lost the largest share of their end-to-end probes within the time range. Empty when none lost '
    % worst
    + 'any. A click on a path leads to its hops.',
    [p.instant(loss, 'loss'), p.instant('%s and on (%s) %s' % [flows, by_path, loss], 'flows')],
    [
      ['destination', 'Destination'],
      ['path', 'Path'],
      ['instance', 'Agent'],
      ['Value #flows', 'Flows'],
      ['Value #loss', 'Loss'],
    ],
    ['job'],
    24,
    9,
    [
      p.override('Path', { links: to_path, 'custom.width': 110 }),
      p.width_column('Agent', 160),
      p.number_column('Flows', 80),
      p.loss_column('Loss', width=120),
    ],
    [['Loss', true]]
  );

local worst_hops =
  local by = q.listed(q.responder);
  local top = 'topk(%d, %s)' % [worst, score()];
  local counts = lossy_and_all();
  p.table(
    'Worst hops',
    'Responders that many lossy paths pass, and few others: the share of the paths through each that lost more than '
    + '0.5% within the time range, and that share times their number as a score. Empty when no path does.',
    [
      p.instant(q.named(top, 'ecmp_path_hop_info{%s}' % where), 'score'),
      p.instant('%s / %s and on (%s) %s' % [counts[0], counts[1], by, top], 'share'),
    ],
    [
      ['hop', 'Hop'],
      ['name', 'Name'],
      ['asn', 'AS'],
      ['instance', 'Agent'],
      ['Value #score', 'Score'],
      ['Value #share', 'Lossy paths'],
    ],
    ['job', 'mpls'],
    12,
    9,
    [
      p.width_column('Agent', 160),
      p.override('Score', { unit: 'none', decimals: 2, 'custom.width': 90 }),
      p.loss_column('Lossy paths', [[null, p.green], [0.5, p.orange], [0.99, p.red]], 110),
    ],
    [['Score', true]]
  );

local links =
  p.table(
    'Worst links',
    'Links by the score of the worse of their ends. The two links of a responder that loses tie: which of them it is, or '
    + 'whether it is the responder, loss alone does not say.',
    [p.instant(worst_links)],
    [['from', 'From'], ['to', 'To'], ['instance', 'Agent'], ['Value', 'Score']],
    ['job'],
    12,
    9,
    [p.width_column('Agent', 200), p.override('Score', { unit: 'none', decimals: 2, 'custom.width': 140 })],
    [['Score', true]]
  );

// The agents' own localisation, which knows all flows of all destinations: it has no label `destination`.
local suspected_links =
  local link = 'job, instance, from, to';
  local top = 'topk(%d, ecmp_link_suspicion{%s})' % [worst, q.agent];
  local far_ends = q.relabel(top, 'hop', 'to');
  local of_top(metric) = 'max by (%s) (%s{%s}) and on (%s) %s' % [link, metric, q.agent, link, top];
  p.table(
    'Suspected links',
    "Links that explain the loss of all flows of all destinations, by the agents' own account: the most likely loss of "
    + 'each, the score of its suspicion, and the verdict: 1 for a link that is blamed. /events has the evidence. Empty '
    + 'when nothing is lost.',
    [
      p.instant(q.named(far_ends, far_ends), 'suspicion'),
      p.instant(of_top('ecmp_link_loss_ratio'), 'loss'),
      p.instant(of_top('ecmp_link_blamed'), 'blamed'),
    ],
    [
      ['from', 'From'],
      ['to', 'To'],
      ['name', 'Name of the far end'],
      ['asn', 'AS'],
      ['instance', 'Agent'],
      ['Value #loss', 'Loss'],
      ['Value #suspicion', 'Suspicion'],
      ['Value #blamed', 'Blamed'],
    ],
    ['job', 'hop', 'mpls'],
    24,
    7,
    [
      p.width_column('Agent', 200),
      p.width_column('AS', 90),
      p.loss_column('Loss'),
      p.override('Suspicion', { unit: 'none', decimals: 2, 'custom.width': 110 }),
      p.override('Blamed', {
        unit: 'none',
        decimals: 0,
        thresholds: p.thresholds([[null, p.green], [1, p.red]]),
        color: { mode: 'thresholds' },
        'custom.width': 90,
        'custom.cellOptions': { type: 'color-background', mode: 'basic' },
      }),
    ],
    [['Blamed', true], ['Suspicion', true]]
  );

local states = p.timeline(
  'State over time', 'When a destination was reached by any flow and when by none.', p.series(up, name), p.up, height=6
);

function(config)
  p.board(
    config,
    'ecmp-overview',
    'ECMP / Overview',
    'All destinations of the chosen agents: state, loss, round-trip times, equal-cost paths in use, and the worst paths, '
    + 'hops and links.',
    ['overview'],
    [variables.job, variables.instance, variables.destination()],
    [
      ['At a glance', false, at_a_glance],
      ['Destinations', false, [destinations, states]],
      ['Over time', false, over_time],
      ['Worst paths and links', false, [worst_paths, suspected_links]],
      // Over all hops of all paths: asked when it is unfolded, not each 30 seconds.
      ['Worst hops and links', true, [worst_hops, links]],
    ],
    [variables.path_changes]
  )
