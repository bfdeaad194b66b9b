// SPDX-License-Identifier: Apache-2.0
// The few kinds of panels the dashboard is made of, as Grafana 9 and later read them. No library: a panel is a dozen lines.
{
  datasource:: { type: 'prometheus', uid: '${datasource}' },

  target(expr, legend='', instant=false):: {
    datasource: $.datasource,
    expr: expr,
    legendFormat: legend,
    refId: 'A',
    [if instant then 'instant']: true,
    [if instant then 'format']: 'table',
  },

  local panel(type, title, unit, targets, description) = {
    type: type,
    title: title,
    description: description,
    datasource: $.datasource,
    fieldConfig: { defaults: { unit: unit }, overrides: [] },
    targets: [targets[i] { refId: std.char(65 + i) } for i in std.range(0, std.length(targets) - 1)],
  },

  // One figure; `steps`: [[from, colour], ...] after green.
  stat(title, unit, expr, steps=[], description='', none=null):: panel('stat', title, unit, [$.target(expr)], description) {
    fieldConfig+: { defaults+: {
      [if none != null then 'noValue']: none,
      thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }] + [{ value: s[0], color: s[1] } for s in steps] },
    } },
    options: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value', graphMode: 'none', textMode: 'value' },
  },

  graph(title, unit, targets, description='', stacked=false):: panel('timeseries', title, unit, targets, description) {
    fieldConfig+: { defaults+: {
      custom: { drawStyle: 'line', fillOpacity: if stacked then 30 else 5, showPoints: 'never', stacking: { mode: if stacked then 'normal' else 'none' } },
      min: 0,
    } },
    options: { legend: { displayMode: 'table', placement: 'right', calcs: ['lastNotNull', 'max'] }, tooltip: { mode: 'multi', sort: 'desc' } },
  },

  // As graph, of what may fall.
  signed_graph(title, unit, targets, description=''):: $.graph(title, unit, targets, description) { fieldConfig+: { defaults+: { min: null } } },

  heatmap(title, unit, expr, description=''):: panel('heatmap', title, unit, [$.target(expr, '{{le}}') { format: 'heatmap' }], description) {
    options: { calculate: false, yAxis: { unit: unit }, color: { scheme: 'Oranges', mode: 'scheme' } },
  },

  // Rows are series; `columns`: {label: title}, in that order, then the value.
  table(title, unit, targets, columns, description=''):: panel('table', title, 'short', targets, description) {
    fieldConfig+: { overrides: [
      { matcher: { id: 'byName', options: value[0] }, properties: [{ id: 'unit', value: value[1] }] }
      for value in unit
    ] },
    transformations: [
      { id: 'merge', options: {} },
      { id: 'organize', options: {
        excludeByName: { Time: true, __name__: true },
        indexByName: { [columns[i][0]]: i for i in std.range(0, std.length(columns) - 1) },
        renameByName: { [c[0]]: c[1] for c in columns },
      } },
    ],
  },

  row(title):: { type: 'row', title: title, collapsed: false, panels: [] },

  // Rows of [panel, width] become positions; every panel gets a number. A row's height is its first number.
  layout(rows):: (
    local place(state, row) = (
      local placed = std.foldl(function(at, cell) { x: at.x + cell[1], panels: at.panels + [cell[0] {
        id: state.next + std.length(at.panels),
        gridPos: { h: row.height, w: cell[1], x: at.x, y: state.y },
      }] }, row.cells, { x: 0, panels: [] });
      { y: state.y + row.height, next: state.next + std.length(row.cells), panels: state.panels + placed.panels }
    );
    std.foldl(place, rows, { y: 0, next: 1, panels: [] }).panels
  ),
}
