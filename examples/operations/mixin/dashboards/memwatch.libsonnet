// SPDX-License-Identifier: Apache-2.0
// One page: who leaks, how long is left, where the bytes are, and what watching costs.
local panels = import '../lib/panels.libsonnet';
local promql = import '../lib/promql.libsonnet';
{
  local config = $._config,
  local series(name, matchers=[]) =
    promql.series(name, [config.memwatchSelector, 'job=~"$job"', 'instance=~"$instance"'] + matchers),
  local leaks = ['class!="suspect_growth"'],
  local target = panels.target,

  local variable(name, label, metric) = {
    name: name,
    label: label,
    type: 'query',
    datasource: panels.datasource,
    query: { query: metric, refId: name },
    definition: metric,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.+',
    current: { selected: true, text: ['All'], value: ['$__all'] },
    options: [],
    regex: '',
    hide: 0,
  },

  local head = { height: 4, cells: [
    [panels.stat('Leaks', 'none', 'sum(%s)' % series('memwatch_leak_suspects', leaks), [[1, 'red']], 'Sites and pools of level leak.'), 4],
    [panels.stat('Suspects', 'none', 'sum(%s)' % series('memwatch_leak_suspects', ['class="suspect_growth"']), [[1, 'orange']], 'They grow, and there is no proof yet.'), 4],
    [panels.stat('Time to OOM', 's', 'min(%s)' % series('memwatch_time_to_oom_seconds'), [], 'The shortest of all; none while nothing grows towards a limit.', 'none in sight'), 4],
    [panels.stat('Live heap', 'bytes', 'sum(%s)' % series('memwatch_heap_live_bytes'), [], 'Estimated from samples.'), 4],
    [panels.stat('memwatch itself', 'bytes', 'sum(%s)' % series('memwatch_self_bytes')), 4],
    [panels.stat('Watched instances', 'none', 'count(%s == 1)' % series('memwatch_up'), [], '', '0'), 4],
  ] },

  local accused = series('memwatch_verdict', leaks),
  local verdicts = { height: 8, cells: [
    [panels.table(
      'Who leaks',
      [['Keeps', 'bytes'], ['Grows by', 'Bps'], ['Sure', 'percentunit']],
      [
        target('max by (job, instance, site, function, tag, class) (%s > 0)' % series('memwatch_verdict'), instant=true),
        target('max by (job, instance, site, function, tag) (%s)' % series('memwatch_verdict_severity'), instant=true),
        target('max by (job, instance, site, function, tag) (%s)' % series('memwatch_verdict_retained_bytes'), instant=true),
        target('max by (job, instance, site, function, tag) (%s)' % series('memwatch_verdict_growth_bytes_per_second'), instant=true),
      ],
      [['function', 'Function'], ['tag', 'Tag'], ['class', 'Class'], ['Value #A', 'Sure'], ['Value #B', 'Severity'], ['Value #C', 'Keeps'], ['Value #D', 'Grows by'], ['site', 'Site'], ['instance', 'Instance'], ['job', 'Job']],
      'Severity: 1 info, 2 warning, 3 critical. `memwatch verdicts URL` says why.'
    ), 24],
  ] },

  local memory = { height: 9, cells: [
    [panels.graph('Live bytes by tag', 'bytes', [target('sum by (tag) (%s)' % series('memwatch_live_bytes'), '{{tag}}')], 'Exact.', stacked=true), 12],
    [panels.graph('Live bytes of the largest sites', 'bytes', [target('topk(10, sum by (function, tag) (%s))' % series('memwatch_site_live_bytes', ['site!="other"']), '{{function}} [{{tag}}]')], 'Estimated from samples.', stacked=true), 12],
  ] },
  local flow = { height: 9, cells: [
    [panels.signed_graph('Growth by tag', 'Bps', [target('topk(10, sum by (tag) (deriv(%s[30m])))' % series('memwatch_live_bytes'), '{{tag}}')], 'Slope of the last 30 minutes.'), 8],
    [panels.graph('Allocation by tag', 'Bps', [target('topk(10, sum by (tag) (rate(%s[$__rate_interval])))' % series('memwatch_allocated_bytes_total'), '{{tag}}') { exemplar: true }], 'With exemplars: the request of a sampled block.'), 8],
    [panels.heatmap('Lifetimes of freed blocks', 's', 'sum by (le) (increase(%s[$__rate_interval]))' % series('memwatch_object_lifetime_seconds_bucket')), 8],
  ] },

  local limits = { height: 8, cells: [
    [panels.graph('Memory against the limit', 'bytes', [
      target('max(%s)' % series('memwatch_cgroup_memory_bytes'), 'used, page cache included'),
      target('max(%s)' % series('memwatch_cgroup_unreclaimable_bytes'), 'what the kernel cannot take back'),
      target('min(%s)' % series('memwatch_cgroup_limit_bytes'), 'limit'),
    ], 'Of the fullest instance.'), 8],
    [panels.graph('Time to OOM', 's', [
      target('min(%s)' % series('memwatch_time_to_oom_seconds'), 'expected'),
      target('min(%s)' % series('memwatch_time_to_oom_least_seconds'), 'lower end of the 90 % interval'),
    ], 'Of the instance that is next; nothing while nothing grows towards a limit.'), 6],
    [panels.graph('Where RSS is', 'bytes', [target('sum by (component) (%s)' % series('memwatch_footprint_bytes'), '{{component}}')], 'By the figures that are cheap: what the allocator keeps and stacks are in unexplained; /debug/memtrace/footprint has them all.', stacked=true), 6],
    [panels.graph('Pressure', 'short', [target('max by (instance) (%s)' % series('memwatch_memory_pressure'), '{{instance}}')], '0 well, 1 little is left, 2 the end is near.'), 4],
  ] },

  local pools = { height: 8, cells: [
    [panels.graph('Pools: in use', 'percentunit', [target('%s / (%s > 0)' % [series('memwatch_pool_in_use'), series('memwatch_pool_capacity')], '{{pool}} {{instance}}')]), 8],
    [panels.graph('Pools: refused and waiting', 'short', [
      target('rate(%s[$__rate_interval])' % series('memwatch_pool_acquire_failures_total'), 'refused/s {{pool}} {{instance}}'),
      target(series('memwatch_pool_waiters'), 'waiting {{pool}} {{instance}}'),
    ]), 8],
    [panels.graph('Pools: oldest checkout', 's', [target(series('memwatch_pool_oldest_checkout_seconds'), '{{pool}} {{instance}}')]), 8],
  ] },

  local own = { height: 8, cells: [
    [panels.graph('Bytes against budget', 'bytes', [
      target('max(%s)' % series('memwatch_self_bytes'), 'all it holds, largest'),
      target('max(%s)' % series('memwatch_self_budgeted_bytes'), 'in budget, largest'),
      target('min(%s)' % series('memwatch_self_budget_bytes'), 'budget'),
    ]), 6],
    [panels.graph('CPU', 'percentunit', [target('rate(%s[$__rate_interval])' % series('memwatch_self_seconds_total'), '{{instance}}')]), 6],
    [panels.graph('Records lost', 'cps', [target('sum by (reason) (rate(%s[$__rate_interval])) > 0' % series('memwatch_dropped_total'), '{{reason}}')]), 6],
    [panels.graph('Sample interval', 'bytes', [target(series('memwatch_sample_interval_bytes'), '{{instance}}')], 'R: it is raised when samples cost too much.'), 6],
  ] },

  local row(title) = { height: 1, cells: [[panels.row(title), 24]] },

  grafanaDashboards+:: {
    'memwatch.json': {
      uid: config.dashboard.uid,
      title: config.dashboard.title,
      tags: config.dashboard.tags,
      editable: true,
      graphTooltip: 1,
      refresh: config.dashboard.refresh,
      schemaVersion: 37,
      time: { from: config.dashboard.from, to: 'now' },
      timezone: 'browser',
      links: [],
      annotations: { list: [{
        name: 'Leak alerts',
        datasource: panels.datasource,
        enable: true,
        iconColor: 'red',
        expr: 'ALERTS{alertname="MemwatchLeak", alertstate="firing", job=~"$job", instance=~"$instance"}',
        titleFormat: '{{function}} [{{tag}}]',
      }] },
      templating: { list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', current: {}, options: [], refresh: 1, regex: '', hide: 0, includeAll: false, multi: false },
        variable('job', 'Job', 'label_values(%s, job)' % promql.series('memwatch_up', [config.memwatchSelector])),
        variable('instance', 'Instance', 'label_values(%s, instance)' % promql.series('memwatch_up', [config.memwatchSelector, 'job=~"$job"'])),
      ] },
      panels: panels.layout([head, row('Verdicts'), verdicts, row('Memory'), memory, flow, row('Limits'), limits, row('Pools'), pools, row('memwatch itself'), own]),
    },
  },
}
