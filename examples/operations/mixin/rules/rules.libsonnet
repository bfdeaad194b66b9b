// SPDX-License-Identifier: Apache-2.0
// What dashboards and people ask for again and again. Names are level:metric:operation; the level is what labels are left.
local promql = import '../lib/promql.libsonnet';
{
  local config = $._config,
  local series(name, matchers=[]) = promql.series(name, [config.memwatchSelector] + matchers),
  local leaks = ['class!="suspect_growth"'],

  prometheusRules+:: {
    groups+: [
      {
        name: 'memwatch.rules',
        rules: [
          {  // 1 leak or more: somebody should look
            record: 'instance:memwatch_leaks:sum',
            expr: 'sum without (class) (%s)' % series('memwatch_leak_suspects', leaks),
          },
          {  // per leak: what it keeps
            record: 'site:memwatch_leak_retained_bytes:max',
            expr: '0 * (%s > 0) + ignoring (class) group_left () %s' % [series('memwatch_verdict', leaks), series('memwatch_verdict_retained_bytes')],
          },
          {  // one replica, or all of them?
            record: 'job:memwatch_leaking_instances:count',
            expr: 'count by (job, site, function, tag, class) (%s > 0)' % series('memwatch_verdict', leaks),
          },
          {
            record: 'job:memwatch_live_bytes:sum',
            expr: 'sum by (job, tag) (%s)' % series('memwatch_live_bytes'),
          },
          {
            record: 'instance:memwatch_allocated_bytes:rate5m',
            expr: 'sum without (tag) (rate(%s[5m]))' % series('memwatch_allocated_bytes_total'),
          },
          {  // growth of the live heap by tag, in bytes a second
            record: 'tag:memwatch_live_bytes:deriv30m',
            expr: 'deriv(%s[30m])' % series('memwatch_live_bytes'),
          },
          {
            record: 'pool:memwatch_pool_in_use:ratio',
            expr: '%s / (%s > 0)' % [series('memwatch_pool_in_use'), series('memwatch_pool_capacity')],
          },
          {
            record: 'instance:memwatch_self_budgeted_bytes:ratio',
            expr: '%s / (%s > 0)' % [series('memwatch_self_budgeted_bytes'), series('memwatch_self_budget_bytes')],
          },
          {
            record: 'instance:memwatch_self_seconds:rate5m',
            expr: 'rate(%s[5m])' % series('memwatch_self_seconds_total'),
          },
          {
            record: 'instance:memwatch_dropped:rate5m',
            expr: 'sum without (reason) (rate(%s[5m]))' % series('memwatch_dropped_total'),
          },
        ],
      },
    ],
  },
}
