// What boards are made of: variables, queries, panels, and rows that lay them out on Grafana's grid of 24 columns.
{
  local p = self,
  local grid = 24,
  local datasource = { type: 'prometheus', uid: '${datasource}' },

  green: 'green',
  yellow: 'yellow',
  orange: 'orange',
  red: 'red',
  blue: 'blue',
  grey: '#8e8e8e',

  // One scheme for all boards: [from, colour].
  loss_steps: [[null, p.green], [0.001, p.yellow], [0.01, p.orange], [0.05, p.red]],
  silence_steps: [[null, '#5a6f8f'], [0.5, p.blue]],
  good_if_zero: [[null, p.green], [0.000001, p.orange]],
  bad_if_zero: [[null, p.red], [1, p.green]],
  plain: [[null, p.blue]],
  lag_steps: [[null, p.green], [0.01, p.yellow], [0.1, p.orange], [1, p.red]],

  local two_states(bad, good) = [{
    type: 'value',
    options: {
      '0': { text: bad, color: p.red, index: 0 },
      '1': { text: good, color: p.green, index: 1 },
    },
  }],
  up: two_states('down', 'up'),
  reloaded: two_states('failed', 'successful'),

  // A colour for each of the first paths of a destination; neighbours in number are far apart in hue.
  ordinal_mappings():
    local hex(value) = '%02x' % std.floor(value * 255 + 0.5);
    // Hue, lightness and saturation, each from 0 to 1.
    local rgb(hue, light, saturation) =
      local chroma = (1 - std.abs(2 * light - 1)) * saturation;
      local channel(shift) =
        local at = (hue * 6 + shift) - 6 * std.floor((hue * 6 + shift) / 6);
        light - chroma / 2 + chroma * std.max(0, std.min(1, std.abs(at - 3) - 1));
      '#%s%s%s' % [hex(channel(0)), hex(channel(4)), hex(channel(2))];
    local color(number) =
      local turn = number * 0.381966;
      rgb(turn - std.floor(turn), if number % 2 == 1 then 0.55 else 0.42, 0.6);
    [{
      type: 'value',
      options: { '0': { text: 'no path', color: '#4a4a4a', index: 0 } } + {
        ['%d' % number]: { text: 'path %d' % number, color: color(number), index: number }
        for number in std.range(1, 32)
      },
    }],

  thresholds(steps)::
    { mode: 'absolute', steps: [{ color: step[1], value: step[0] } for step in steps] },

  // --- queries --------------------------------------------------------------------------------------------------------

  local query(expression, legend, ref, format) = {
    datasource: datasource,
    editorMode: 'code',
    expr: expression,
    format: format,
    legendFormat: legend,
    refId: ref,
  },
  series(expression, legend, ref='A'):: query(expression, legend, ref, 'time_series') { range: true },
  local at_once = { exemplar: false, instant: true, range: false },
  instant(expression, ref='A'):: query(expression, '__auto', ref, 'table') + at_once,
  value_now(expression, legend='__auto', ref='A')::
    query(expression, legend, ref, 'time_series') + at_once,
  heat(expression, ref='A'):: query(expression, '{{le}}', ref, 'heatmap') { range: true },

  // --- overrides ------------------------------------------------------------------------------------------------------

  // override('Loss', { unit: 'percentunit', 'custom.width': 90 })
  override(name, properties, matcher='byName')::
    {
      matcher: { id: matcher, options: name },
      properties: [{ id: key, value: properties[key] } for key in std.objectFields(properties)],
    },
  loss_column(name, steps=p.loss_steps, width=110)::
    p.override(name, {
      unit: 'percentunit',
      decimals: 2,
      thresholds: p.thresholds(steps),
      color: { mode: 'thresholds' },
      'custom.cellOptions': { type: 'color-background', mode: 'gradient' },
      'custom.width': width,
    }),
  seconds_column(name, width=100):: p.override(name, { unit: 's', decimals: 2, 'custom.width': width }),
  number_column(name, width=90):: p.override(name, { unit: 'none', decimals: 0, 'custom.width': width }),
  width_column(name, width):: p.override(name, { 'custom.width': width }),
  trend_column(name, unit, color, width=170)::
    p.override(name, {
      unit: unit,
      decimals: 2,
      color: { mode: 'fixed', fixedColor: color },
      'custom.width': width,
      'custom.cellOptions': {
        type: 'sparkline',
        hideValue: true,
        drawStyle: 'line',
        fillOpacity: 20,
        lineWidth: 1,
        showPoints: 'never',
      },
    }),

  // A link of a cell to another board, with variables [name, column] taken from the row, and the jobs that are chosen.
  link_to(uid, title, variables)::
    local values = std.join('', [
      '&var-%s=${__data.fields["%s"]}' % variable
      for variable in variables
    ]);
    [{ title: title, url: '/d/%s?${datasource:queryparam}&${job:queryparam}%s&${__url_time_range}' % [uid, values] }],

  // --- panels ---------------------------------------------------------------------------------------------------------

  panel(kind, title, description, targets, width, height, defaults, options, overrides=[], transformations=[])::
    {
      type: kind,
      title: title,
      description: description,
      datasource: datasource,
      targets: targets,
      gridPos: { w: width, h: height },
      fieldConfig: { defaults: defaults, overrides: overrides },
      options: options,
      [if transformations != [] then 'transformations']: transformations,
    },

  stat(title,
       description,
       target,
       unit,
       steps,
       width=4,
       height=4,
       decimals=null,
       mappings=[],
       color_mode='value',
       graph=false)::
    p.panel(
      'stat', title, description, [target], width, height, {
        unit: unit,
        color: { mode: 'thresholds' },
        thresholds: p.thresholds(steps),
        mappings: mappings,
        [if decimals != null then 'decimals']: decimals,
      }, {
        colorMode: color_mode,
        graphMode: if graph then 'area' else 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        percentChangeColorMode: 'standard',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        showPercentChange: false,
        textMode: 'auto',
        wideLayout: true,
      }
    ),

  graph(title,
        description,
        targets,
        unit,
        width=12,
        height=8,
        steps=null,
        color=null,
        fill=0,
        stack=false,
        bars=false,
        stepped=false,
        maximum=null,
        minimum=0,
        decimals=null,
        overrides=[],
        right=false)::
    p.panel(
      'timeseries', title, description, targets, width, height, {
        unit: unit,
        color: if color == null then { mode: 'palette-classic' } else color,
        custom: {
          drawStyle: if bars then 'bars' else 'line',
          lineWidth: 1,
          fillOpacity: if bars then 60 else fill,
          gradientMode: 'none',
          showPoints: 'never',
          pointSize: 4,
          spanNulls: false,
          lineInterpolation: if stepped then 'stepAfter' else 'linear',
          axisPlacement: 'auto',
          axisLabel: '',
          barAlignment: 0,
          scaleDistribution: { type: 'linear' },
          stacking: { mode: if stack then 'normal' else 'none', group: 'A' },
          thresholdsStyle: { mode: if steps == null then 'off' else 'dashed' },
          axisSoftMin: 0,
          [if maximum != null then 'axisSoftMax']: maximum,
        },
        thresholds: p.thresholds(if steps == null then [[null, p.green]] else steps),
        [if minimum != null then 'min']: minimum,
        [if decimals != null then 'decimals']: decimals,
      }, {
        legend: {
          calcs: ['lastNotNull', 'max'],
          displayMode: 'table',
          placement: if right then 'right' else 'bottom',
          showLegend: true,
          sortBy: 'Max',
          sortDesc: true,
        },
        tooltip: { mode: 'multi', sort: 'desc' },
      }, overrides
    ),

  timeline(title, description, target, mappings, width=24, height=8)::
    p.panel(
      'state-timeline', title, description, [target], width, height, {
        unit: 'none',
        color: { mode: 'thresholds' },
        mappings: mappings,
        thresholds: p.thresholds([[null, p.grey]]),
        custom: { fillOpacity: 85, lineWidth: 0 },
      }, {
        mergeValues: true,
        showValue: 'never',
        alignValue: 'left',
        rowHeight: 0.85,
        legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: false },
        tooltip: { mode: 'single', sort: 'none' },
        perPage: 24,
      }
    ),

  heatmap(title, description, target, unit, width=12, height=9, scheme='Turbo')::
    p.panel(
      'heatmap', title, description, [target], width, height, {
        custom: {
          scaleDistribution: { type: 'linear' },
          hideFrom: { legend: false, tooltip: false, viz: false },
        },
      }, {
        calculate: false,
        cellGap: 1,
        cellValues: { unit: 'short', decimals: 0 },
        color: {
          mode: 'scheme',
          scheme: scheme,
          fill: 'dark-orange',
          scale: 'exponential',
          exponent: 0.5,
          steps: 64,
          reverse: false,
        },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        filterValues: { le: 1e-9 },
        legend: { show: true },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        tooltip: { mode: 'single', yHistogram: true, showColorScale: false },
        yAxis: { axisPlacement: 'left', unit: unit, reverse: false },
      }
    ),

  // `columns`: [field, shown name] in their order; `trends`: refIds of range queries that become sparklines; `numbers`:
  // labels that sort as numbers; `sort`: [column, descending].
  table(title,
        description,
        targets,
        columns,
        hidden,
        width=24,
        height=9,
        overrides=[],
        sort=[],
        trends=[],
        numbers=[])::
    local transformations =
      (if trends == [] then [] else [{
         id: 'timeSeriesTable',
         options: { [ref]: { timeField: 'Time', stat: 'lastNotNull' } for ref in trends },
       }]) +
      (if std.length(targets) == 1 then [] else [{ id: 'merge', options: {} }]) +
      (if numbers == [] then [] else [{
         id: 'convertFieldType',
         options: {
           conversions: [{ targetField: label, destinationType: 'number' } for label in numbers],
           fields: {},
         },
       }]) +
      [{
        id: 'organize',
        options: {
          excludeByName: { [name]: true for name in ['Time'] + hidden },
          includeByName: {},
          indexByName: { [columns[index][0]]: index for index in std.range(0, std.length(columns) - 1) },
          renameByName: { [column[0]]: column[1] for column in columns if column[0] != column[1] },
        },
      }];
    p.panel(
      'table', title, description, targets, width, height, {
        unit: 'short',
        color: { mode: 'thresholds' },
        thresholds: p.thresholds(p.plain),
        noValue: '',
        custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: true, inspect: false },
      }, {
        cellHeight: 'sm',
        showHeader: true,
        sortBy: [{ displayName: column[0], desc: column[1] } for column in sort],
        footer: { show: false, reducer: ['sum'], countRows: false, fields: [], enablePagination: false },
      }, overrides, transformations
    ),

  // --- the board ------------------------------------------------------------------------------------------------------

  variable(name, label, query, every=true)::
    {
      name: name,
      label: label,
      type: 'query',
      datasource: datasource,
      definition: query,
      query: { query: query, refId: 'PrometheusVariableQueryEditor-VariableQuery', qryType: 1 },
      refresh: 2,
      regex: '',
      sort: 1,
      hide: 0,
      skipUrlSync: false,
      options: [],
      multi: true,
      includeAll: every,
      [if every then 'allValue']: '.+',
      [if every then 'current']: { selected: true, text: ['All'], value: ['$__all'] },
    },

  local datasource_variable = {
    name: 'datasource',
    label: 'Data source',
    type: 'datasource',
    query: 'prometheus',
    refresh: 1,
    regex: '',
    hide: 0,
    skipUrlSync: false,
    options: [],
    multi: false,
    includeAll: false,
  },

  annotation(name, expression, title, text, color)::
    {
      name: name,
      datasource: datasource,
      enable: true,
      hide: false,
      iconColor: color,
      expr: expression,
      titleFormat: title,
      textFormat: text,
      tagKeys: 'job,instance',
      step: '30s',
      useValueForTime: false,
    },

  local built_in_annotations = {
    name: 'Annotations & Alerts',
    builtIn: 1,
    type: 'dashboard',
    enable: true,
    hide: true,
    datasource: { type: 'grafana', uid: '-- Grafana --' },
    iconColor: 'rgba(0, 211, 255, 1)',
  },

  // Puts panels from left to right, a new line where the next does not fit: { laid: [panel], top: the first free line }.
  local lay_out(panels, top) =
    local step(so_far, one) =
      local wraps = so_far.left + one.gridPos.w > grid;
      local at = if wraps then { top: so_far.top + so_far.height, left: 0, height: 0 } else so_far;
      {
        laid: so_far.laid + [one { gridPos+: { x: at.left, y: at.top } }],
        top: at.top,
        left: at.left + one.gridPos.w,
        height: std.max(at.height, one.gridPos.h),
      };
    local done = std.foldl(step, panels, { laid: [], top: top, left: 0, height: 0 });
    { laid: done.laid, top: done.top + done.height },

  // Numbers for all panels, those of folded rows right after their row.
  local numbered(panels) =
    local step(so_far, one) =
      local inner = if std.objectHas(one, 'panels') then one.panels else [];
      {
        next: so_far.next + 1 + std.length(inner),
        made: so_far.made + [
          one { id: so_far.next } +
          if inner == [] then {} else {
            panels: [
              inner[index] { id: so_far.next + 1 + index }
              for index in std.range(0, std.length(inner) - 1)
            ],
          },
        ],
      };
    std.foldl(step, panels, { next: 1, made: [] }).made,

  // `rows`: [title, collapsed, [panel]]
  board(config, uid, title, description, tags, variables, rows, annotations=[])::
    local step(so_far, row) =
      local laid = lay_out(row[2], so_far.top + 1);
      local head = {
        type: 'row',
        title: row[0],
        collapsed: row[1],
        panels: if row[1] then laid.laid else [],
        gridPos: { x: 0, y: so_far.top, w: grid, h: 1 },
      };
      {
        panels: so_far.panels + [head] + (if row[1] then [] else laid.laid),
        top: if row[1] then so_far.top + 1 else laid.top,
      };
    {
      uid: uid,
      title: title,
      description: description,
      tags: config.board_tags + tags,
      schemaVersion: 39,
      version: 1,
      editable: false,
      graphTooltip: 1,
      fiscalYearStartMonth: 0,
      timezone: 'browser',
      refresh: config.board_refresh,
      time: { from: config.board_time_from, to: 'now' },
      timepicker: {},
      weekStart: '',
      links: [{
        type: 'dashboards',
        tags: [config.board_tags[0]],
        title: 'ECMP',
        asDropdown: false,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: 'external link',
        tooltip: '',
        url: '',
      }],
      templating: { list: [datasource_variable] + variables },
      annotations: { list: [built_in_annotations] + annotations },
      panels: numbered(std.foldl(step, rows, { panels: [], top: 0 }).panels),
    },
}
