// Agents that measure each other: who loses towards whom, in which direction.
local p = import 'panels.libsonnet';
local q = import 'promql.libsonnet';
local variables = import 'variables.libsonnet';

local where = q.destination;
local by_pair = q.listed(q.by_destination);
local by_path = q.by_path;
local to_path = p.link_to(
  'ecmp-path', 'Hops of this path', [['destination', 'To'], ['instance', 'From'], ['path', 'Path']]
);
local worst = 20;
local variation = 'ecmp_path_oneway_delay_variation_seconds';
local relative = 'ecmp_path_oneway_relative_delay_seconds';
local delay = 'ecmp_path_oneway_delay_seconds';
local pair = '{{instance}} to {{destination}}';

local directed(direction) = '%s, direction="%s"' % [where, direction];
local packets(what, of, by, window) = q.total(q.function_for(window), 'ecmp_path_oneway_%s_total' % what, of, by, window);
local loss(of, by, window=q.step) = '%s / %s' % [packets('losses', of, by, window), packets('packets', of, by, window)];
local round_trips = '%s, direction="unresolved"' % where;

// One row for each agent, one column for each destination: a cell is the worst of the paths between the two.
local matrix(title, description, expression, unit, steps) =
  p.panel(
    'table', title, description, [p.instant(expression)], 24, 10, {
      unit: unit,
      decimals: 2,
      color: { mode: 'thresholds' },
      thresholds: p.thresholds(steps),
      noValue: '',
      custom: {
        align: 'center',
        cellOptions: { type: 'color-background', mode: 'gradient' },
        filterable: false,
        inspect: false,
        minWidth: 70,
      },
    }, {
      cellHeight: 'sm',
      showHeader: true,
      sortBy: [],
      footer: { show: false, reducer: ['sum'], countRows: false, fields: [], enablePagination: false },
    }, [
      p.override('instance\\destination', {
        'custom.cellOptions': { type: 'auto' },
        'custom.align': 'left',
        'custom.width': 190,
      }),
    ], [{
      id: 'groupingToMatrix',
      options: { rowField: 'instance', columnField: 'destination', valueField: 'Value', emptyValue: 'empty' },
    }]
  );
local worst_path(expression) = 'max by (instance, destination) (%s)' % expression;

local matrices = [
  matrix(
    'Loss on the way there',
    'From the agent of the row to the destination of the column: the share of packets that the reflector never had, on '
    + 'the worst path, within the time range. Columns of agents are named mesh- and the agent.',
    worst_path(loss(directed('forward'), by_path, q.range)),
    'percentunit',
    p.loss_steps
  ),
  matrix(
    'Loss on the way back',
    'From the destination of the column to the agent of the row: the share of replies that did not arrive, of the flows '
    + 'of the worst path, within the time range.',
    worst_path(loss(directed('reverse'), by_path, q.range)),
    'percentunit',
    p.loss_steps
  ),
  matrix(
    'Delay variation there, p99',
    'How much longer 1 of 100 packets took than the fastest one, from the agent of the row to the destination of the '
    + 'column, on the worst path, within the rolling window.',
    worst_path('%s{%s, quantile="0.99"}' % [variation, directed('forward')]),
    's',
    [[null, p.green], [0.001, p.yellow], [0.01, p.orange], [0.05, p.red]]
  ),
  matrix(
    'Delay variation back, p99',
    'The same from the destination of the column to the agent of the row.',
    worst_path('%s{%s, quantile="0.99"}' % [variation, directed('reverse')]),
    's',
    [[null, p.green], [0.001, p.yellow], [0.01, p.orange], [0.05, p.red]]
  ),
];

local at_a_glance = [
  p.stat(
    'Reflectors',
    'Destinations that are measured with a reflector, as all agents count them.',
    p.value_now('count(max by (%s) (ecmp_reflector_up{%s}))' % [by_pair, where]),
    'none',
    p.plain,
    decimals=0,
    width=6
  ),
  p.stat(
    'Reflectors down',
    'Those of them that do not answer.',
    p.value_now('sum(max by (%s) (ecmp_reflector_up{%s}) == bool 0)' % [by_pair, where]),
    'none',
    [[null, p.green], [1, p.red]],
    color_mode='background',
    decimals=0,
    width=6
  ),
  p.stat(
    'Loss there, worst path',
    'Loss on the way there of the path that loses most.',
    p.series('max(%s)' % loss(directed('forward'), by_path), 'worst path'),
    'percentunit',
    p.loss_steps,
    decimals=2,
    graph=true,
    width=6
  ),
  p.stat(
    'Loss back, worst path',
    'Loss on the way back of the flows of the path that loses most.',
    p.series('max(%s)' % loss(directed('reverse'), by_path), 'worst path'),
    'percentunit',
    p.loss_steps,
    decimals=2,
    graph=true,
    width=6
  ),
];

local worst_paths(title, direction, ways) =
  local lost = 'topk(%d, %s > 0)' % [worst, loss(directed(direction), by_path, q.range)];
  local flows = 'sum by (%s) (ecmp_path_flows{%s})' % [q.listed(by_path), where];
  local slower = 'max by (%s) (%s{%s})' % [q.listed(by_path), relative, directed(direction)];
  local on_lossy(expression) = '%s and on (%s) %s' % [expression, q.listed(by_path), lost];
  p.table(
    title,
    'The %d paths whose packets were lost most on the way %s within the time range. Empty when none were. ' % [worst, ways]
    + 'Behind is how much slower a path is than the fastest one between the two.',
    [p.instant(lost, 'loss'), p.instant(on_lossy(flows), 'flows'), p.instant(on_lossy(slower), 'behind')],
    [
      ['instance', 'From'],
      ['destination', 'To'],
      ['path', 'Path'],
      ['Value #flows', 'Flows'],
      ['Value #loss', 'Loss'],
      ['Value #behind', 'Behind'],
    ],
    ['job'],
    12,
    9,
    [
      p.override('Path', { links: to_path, 'custom.width': 110 }),
      p.number_column('Flows', 80),
      p.loss_column('Loss'),
      p.seconds_column('Behind'),
    ],
    [['Loss', true]]
  );

local seconds(of) = q.total('increase', 'ecmp_path_oneway_%s_seconds_total' % of, where, by_path + ['direction'], q.step);
local worst_seconds(of) = 'max by (%s, direction) (%s)' % [by_pair, seconds(of)];

local delays(direction) = [
  p.series('max by (%s) (%s{%s, quantile="0.5"})' % [by_pair, delay, directed(direction)], pair, 'delay'),
  p.series('max by (%s) (ecmp_reflector_clock_error_seconds{%s})' % [by_pair, where], pair + ' may be off by', 'error'),
];

local over_time = [
  p.graph(
    'Loss there',
    'Share of the packets to a destination that its reflector never had, over all paths.',
    [p.series(loss(directed('forward'), q.by_destination), pair)],
    'percentunit',
    steps=p.loss_steps,
    maximum=0.01
  ),
  p.graph(
    'Loss back',
    'Share of the replies of a reflector that did not arrive, over all paths.',
    [p.series(loss(directed('reverse'), q.by_destination), pair)],
    'percentunit',
    steps=p.loss_steps,
    maximum=0.01
  ),
  p.graph(
    'Delay there, slowest path',
    'Median delay on the way there of the slowest path, by the clocks of both ends, and how far it may be off. Empty until '
    + 'both say that they are synchronised.',
    delays('forward'),
    's'
  ),
  p.graph(
    'Delay back, slowest path',
    'The same on the way back.',
    delays('reverse'),
    's'
  ),
  p.graph(
    'Packets without direction',
    'Share of the packets whose loss would have had no direction: outages, reflectors that do not count, and those that '
    + 'are not known yet.',
    [
      p.series(
        '%s / %s' % [
          packets('packets', round_trips, q.by_destination, q.step),
          packets('packets', where, q.by_destination, q.step),
        ], pair
      ),
    ],
    'percentunit',
    maximum=0.01
  ),
  p.graph(
    'Unavailable and severe seconds, worst path',
    'Seconds of each step in which more than half of the packets over the worst path were lost, by direction: unavailable '
    + 'ones are of rows of ten and more. They count a minute and more after they were.',
    [
      p.series(worst_seconds('unavailable'), pair + ' {{direction}} unavailable', 'unavailable'),
      p.series(worst_seconds('severe'), pair + ' {{direction}} severe', 'severe'),
    ],
    's'
  ),
  p.graph(
    'Requests answered and refused',
    'Requests a second that the reflector of an agent answered, and those it refused, by reason.',
    [
      p.series(q.rate('ecmp_exporter_reflected_total', q.agent, ['job', 'instance']), '{{instance}} answered', 'answered'),
      p.series(
        q.rate('ecmp_exporter_reflector_refused_total', q.agent, ['job', 'instance', 'reason']),
        '{{instance}} {{reason}}',
        'refused'
      ),
    ],
    'ops',
    width=24
  ),
];

function(config)
  p.board(
    config,
    'ecmp-mesh',
    'ECMP / Mesh',
    'Agents that measure each other: loss and delay variation from each to each, in both directions, of the worst path '
    + 'between them.',
    ['mesh'],
    [variables.job, variables.instance, variables.destination()],
    [
      ['At a glance', false, at_a_glance],
      ['From each to each', false, matrices],
      [
        'Worst paths',
        false,
        [worst_paths('Worst paths there', 'forward', 'there'), worst_paths('Worst paths back', 'reverse', 'back')],
      ],
      ['Over time', false, over_time],
    ],
    [variables.path_changes]
  )
