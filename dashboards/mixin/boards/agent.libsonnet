// The agents themselves: whether they keep up, what they drop, what they cost.
local p = import 'panels.libsonnet';
local q = import 'promql.libsonnet';
local variables = import 'variables.libsonnet';

local where = q.agent;
local x = 'ecmp_exporter_';
local by = ['instance'];
local lag = x + 'schedule_lag_seconds';
local scrape = x + 'scrape_duration_seconds';

local rate(name, labels=by) = q.rate(x + name, where, labels);
local largest(metric) = 'max by (instance) (%s{%s})' % [metric, where];

local at_a_glance =
  local count(title, description, name) =
    p.stat(title, description, p.value_now(q.increase(x + name, where, [])), 'none', p.good_if_zero, 6, decimals=0);
  [
    p.stat(
      'Agents seen',
      'Agents whose metrics are there.',
      p.value_now('count(%sbuild_info{%s})' % [x, where]),
      'none',
      p.plain,
      4,
      decimals=0
    ),
    p.stat(
      'Configuration',
      'Whether the last attempt to load the configuration succeeded, of all agents.',
      p.value_now('min(%sconfig_last_reload_successful{%s})' % [x, where]),
      'none',
      p.bad_if_zero,
      5,
      mappings=p.reloaded,
      color_mode='background'
    ),
    p.stat(
      'Lag p99',
      '99 of 100 probes left no later than this after they were due; of the worst agent.',
      p.series('max(%s)' % q.quantile(0.99, lag, where, by), 'lag'),
      's',
      p.lag_steps,
      5,
      decimals=2,
      graph=true
    ),
    p.stat(
      'Probes', 'Probes sent each second.', p.series(rate('probes_sent_total', []), 'probes'), 'pps', p.plain, 5, graph=true
    ),
    p.stat(
      'Series reported',
      'Series about the network that the agents report.',
      p.series('sum(%sseries{%s})' % [x, where], 'series'),
      'short',
      p.plain,
      5,
      graph=true
    ),
    count(
      'Packets not captured',
      'Packets that the kernel dropped because the capture buffer was full, within the time range: answers may be among '
      + 'them.',
      'capture_dropped_total'
    ),
    count('Probes not sent', 'Probes that did not leave the host, within the time range.', 'send_errors_total'),
    count(
      'Rounds not begun',
      'Rounds that were skipped within the time range, because earlier ones of their flow were not over or time ran out.',
      'rounds_skipped_total'
    ),
    count(
      'Series left out',
      'Series left out of scrapes because of limits.max_series, summed over the scrapes of the time range.',
      'series_dropped_total'
    ),
  ];

local agents =
  local targets = [
    p.instant('max by (instance, version, revision) (%sbuild_info{%s})' % [x, where], 'build'),
    p.instant(largest('process_start_time_seconds') + ' * 1000', 'started'),
    p.instant(largest(x + 'config_last_reload_success_timestamp_seconds') + ' * 1000', 'loaded'),
    p.instant('count by (instance) (ecmp_destination_info{%s})' % where, 'destinations'),
    p.instant(rate('probes_sent_total'), 'probes'),
    p.instant(q.quantile(0.99, lag, where, by), 'lag'),
    p.instant(q.rate('process_cpu_seconds_total', where, by), 'cpu'),
    p.instant(largest('process_resident_memory_bytes'), 'memory'),
  ];
  local columns = [
    ['instance', 'Agent'],
    ['version', 'Version'],
    ['revision', 'Revision'],
    ['Value #started', 'Started'],
    ['Value #loaded', 'Configuration loaded'],
    ['Value #destinations', 'Destinations'],
    ['Value #probes', 'Probes'],
    ['Value #lag', 'Lag p99'],
    ['Value #cpu', 'CPU'],
    ['Value #memory', 'Memory'],
  ];
  local overrides = [
    p.override('Started', { unit: 'dateTimeFromNow', 'custom.width': 150 }),
    p.override('Configuration loaded', { unit: 'dateTimeFromNow', 'custom.width': 170 }),
    p.number_column('Destinations', 110),
    p.override('Probes', { unit: 'pps', decimals: 1, 'custom.width': 110 }),
    p.override('Lag p99', { unit: 's', decimals: 2, 'custom.width': 110 }),
    p.override('CPU', { unit: 'percentunit', decimals: 1, 'custom.width': 90 }),
    p.override('Memory', { unit: 'bytes', decimals: 1, 'custom.width': 110 }),
  ];
  p.table(
    'Agents',
    'What runs where, since when, and with how much to do. 100 % of CPU is one processor.',
    targets,
    columns,
    ['Value #build'],
    24,
    6,
    overrides,
    [['Agent', false]]
  );

local probing = [
  p.graph(
    'Probes sent',
    'Probes sent each second, by protocol.',
    [p.series(rate('probes_sent_total', ['instance', 'protocol']), '{{protocol}} ({{instance}})')],
    'pps'
  ),
  p.graph(
    'Schedule lag',
    'How much later than due probes were sent. More than some milliseconds: the host is busy, or more is asked than it '
    + 'can do.',
    [
      p.series(q.quantile(0.5, lag, where, by), 'p50 ({{instance}})'),
      p.series(q.quantile(0.99, lag, where, by), 'p99 ({{instance}})', 'B'),
    ],
    's'
  ),
  p.heatmap(
    'Schedule lag, all probes',
    'The distribution of the lag of all probes, over all chosen agents.',
    p.heat(q.any_heatmap(lag, where)),
    's',
    height=8
  ),
  p.graph(
    'Held back by limits',
    'Probes that waited for limits.probes_per_second (rate) or for limits.probes_per_second_per_responder (responder). '
    + 'They are sent later, which is meant so.',
    [
      p.series(rate('rate_limited_total'), 'rate ({{instance}})'),
      p.series(rate('responder_delayed_total'), 'responder ({{instance}})', 'B'),
    ],
    'pps'
  ),
];

local missed =
  local by_reason(name) = [p.series(rate(name, ['instance', 'reason']), '{{reason}} ({{instance}})')];
  [
    p.graph(
      'Send errors',
      'Probes that did not leave the host, by reason. They count as no loss.',
      by_reason('send_errors_total'),
      'pps',
      8
    ),
    p.graph(
      'Capture drops',
      'Packets that the kernel dropped because the capture buffer was full: answers may be among them, and show as loss.',
      [p.series(rate('capture_dropped_total'), '{{instance}}')],
      'pps',
      8
    ),
    p.graph(
      'Rounds skipped',
      'Rounds that were not begun, because earlier ones of their flow were not over or time ran out.',
      [p.series(rate('rounds_skipped_total'), '{{instance}}')],
      'ops',
      8
    ),
    p.graph(
      'Datagrams ignored',
      "Received datagrams that were not counted as replies, by reason: late, duplicate, or nobody's.",
      by_reason('replies_ignored_total'),
      'pps',
      8
    ),
    p.graph(
      'DNS errors',
      'Queries that failed, for destinations and for reverse names.',
      [p.series(rate('dns_errors_total'), '{{instance}}')],
      'ops',
      8
    ),
    p.graph(
      'HTTP connections refused',
      'Connections refused or cut, by reason.',
      by_reason('http_connections_refused_total'),
      'ops',
      8
    ),
  ];

local limits = [
  p.graph(
    'Series',
    'Series about the network in a scrape; limits.max_series bounds them.',
    [p.series(largest(x + 'series'), '{{instance}}')],
    'short',
    8
  ),
  p.graph(
    'Series dropped',
    'Series left out of scrapes because of limits.max_series, by family: the least important families go first; the '
    + 'five that lose most.',
    [
      p.series(
        'topk(5, %s)' % rate('series_dropped_total', ['instance', 'family']), '{{family}} ({{instance}})'
      ),
    ],
    'ops',
    8
  ),
  p.graph(
    'Paths refused',
    'Paths that were left out because a destination had as many as limits.max_paths_per_destination allows.',
    [
      p.series(
        q.rate('ecmp_destination_paths_refused_total', where, ['instance', 'destination']),
        '{{destination}} ({{instance}})'
      ),
    ],
    'ops',
    8
  ),
  p.graph(
    'Scrape duration p99',
    'How long it took to render a scrape.',
    [p.series(q.quantile(0.99, scrape, where, by), '{{instance}}')],
    's',
    8
  ),
  p.graph(
    'Rounds kept',
    'Rounds in memory that /paths has, and those forgotten for want of memory each second.',
    [
      p.series(largest(x + 'history_rounds'), 'kept ({{instance}})'),
      p.series(rate('history_forgotten_total'), 'forgotten ({{instance}})', 'B'),
    ],
    'short',
    8,
    overrides=[p.override('B', { unit: 'ops', 'custom.axisPlacement': 'right' }, 'byFrameRefID')]
  ),
  p.graph(
    'Memory of rounds',
    'Memory of the rounds kept; history.memory bounds it.',
    [p.series(largest(x + 'history_bytes'), '{{instance}}')],
    'bytes',
    8
  ),
];

local process = [
  p.graph(
    'CPU',
    'Processor time; 100 % is one processor.',
    [p.series(q.rate('process_cpu_seconds_total', where, by), '{{instance}}')],
    'percentunit',
    8
  ),
  p.graph(
    'Memory',
    'Resident and virtual memory.',
    [
      p.series(largest('process_resident_memory_bytes'), 'resident ({{instance}})'),
      p.series(largest('process_virtual_memory_bytes'), 'virtual ({{instance}})', 'B'),
    ],
    'bytes',
    8
  ),
  p.graph(
    'File descriptors',
    'Open ones, and how many there may be.',
    [
      p.series(largest('process_open_fds'), 'open ({{instance}})'),
      p.series(largest('process_max_fds'), 'limit ({{instance}})', 'B'),
    ],
    'none',
    8,
    decimals=0,
    overrides=[
      p.override(
        'B',
        { 'custom.lineStyle': { fill: 'dash', dash: [10, 10] }, 'custom.axisPlacement': 'right' },
        'byFrameRefID'
      ),
    ]
  ),
];

function(config)
  p.board(
    config,
    'ecmp-agent',
    'ECMP / Agent',
    'The agents: whether they keep their schedule, what they drop and why, how near they are to their limits, and what '
    + 'they cost.',
    ['agent'],
    [variables.job, variables.instance],
    [
      ['At a glance', false, at_a_glance],
      ['Agents', false, [agents]],
      ['Probing', false, probing],
      ['Missed and ignored', false, missed],
      ['Limits and scrapes', false, limits],
      ['Process', false, process],
    ]
  )
