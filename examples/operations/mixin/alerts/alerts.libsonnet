// SPDX-License-Identifier: Apache-2.0
// Whom to wake, and for what. Severities: critical wakes somebody, warning is for working hours, info is a note.
//
// Alerts name metrics rather than recorded rules, so that each works alone and one evaluation earlier. docs/runbooks/ has a page each.
local promql = import '../lib/promql.libsonnet';
{
  local config = $._config,
  local series(name, matchers=[]) = promql.series(name, [config.memwatchSelector] + matchers),

  local alert(name, severity, expr, texts, pause='0s') = {
    alert: name,
    expr: expr,
    [if pause != '0s' then 'for']: pause,
    labels: { severity: severity },
    annotations: texts {
      runbook: 'docs/runbooks/%s.md of memwatch' % std.asciiLower(name),
      [if config.runbookURLPattern != '' then 'runbook_url']: config.runbookURLPattern % std.asciiLower(name),
    },
  },
  // Where one name stands for several conditions: what a silence of one must not hide of the others.
  local because(cause) = { labels+: { cause: cause } },

  // --- a verdict of level leak, graded by its own severity (options leak_warning, leak_critical, leak_shallow)
  local leaking = series('memwatch_verdict', ['class!="suspect_growth"']),
  local leak(severity, number) = alert('MemwatchLeak', severity, |||
    0 * (%s > 0) + ignoring (class) group_left () %s
      and ignoring (class) max_over_time(%s[%s]) == %d
  ||| % [leaking, series('memwatch_verdict_retained_bytes'), series('memwatch_verdict_severity'), config.severityHeldFor, number], {
    summary: 'Memory leaks.',
    description: '{{ $labels.function }}{{ with $labels.tag }} under tag "{{ . }}"{{ end }} of {{ $labels.instance }} ({{ $labels.job }}) is a {{ $labels.class }}: it keeps {{ $value | humanize1024 }}B (site {{ $labels.site }}). Ask `memwatch verdicts http://{{ $labels.instance }}` why it thinks so.',
  }, config.leakFor),

  local oom(severity) = alert('MemwatchTimeToOom', severity, '%s < %d' % [series('memwatch_time_to_oom_seconds'), config.timeToOom[severity].below], {
    summary: 'Memory ends soon.',
    description: '{{ $labels.instance }} ({{ $labels.job }}) reaches its memory limit in {{ $value | humanizeDuration }} if it goes on growing as it does.',
  }, config.timeToOom[severity]['for']),

  local over_budget(severity) = alert('MemwatchSelfOverBudget', severity, '%s / (%s > 0) > %g' % [series('memwatch_self_budgeted_bytes'), series('memwatch_self_budget_bytes'), config.selfOverBudget[severity].above], {
    summary: 'memwatch itself takes more memory than it may.',
    description: 'memwatch in {{ $labels.instance }} ({{ $labels.job }}) holds {{ $value | humanizePercentage }} of its budget.',
  }, config.selfOverBudget[severity]['for']) + because('memory'),

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'memwatch',
        rules: [
          leak('info', 1),
          leak('warning', 2),
          leak('critical', 3),

          oom('info'),
          oom('warning'),
          oom('critical'),

          alert('MemwatchPoolExhausted', 'warning', '%s > 0' % series('memwatch_pool_waiters'), {
            summary: 'Threads wait for a pool.',
            description: '{{ $value }} threads of {{ $labels.instance }} ({{ $labels.job }}) wait for an object of pool "{{ $labels.pool }}".',
          }, config.poolWaitFor),
          alert('MemwatchPoolExhausted', 'critical', 'rate(%s[5m]) > 0' % series('memwatch_pool_acquire_failures_total'), {
            summary: 'A pool has nothing left to give.',
            description: 'Pool "{{ $labels.pool }}" of {{ $labels.instance }} ({{ $labels.job }}) refuses {{ $value | printf "%.2g" }} requests a second.',
          }, config.poolRefusedFor),

          over_budget('warning'),
          over_budget('critical'),
          alert('MemwatchSelfOverBudget', 'warning', '%s > (%s > 0)' % [series('memwatch_self_cpu_ratio'), series('memwatch_self_cpu_limit_ratio')], {
            summary: 'memwatch itself takes more CPU than it may.',
            description: 'memwatch in {{ $labels.instance }} ({{ $labels.job }}) takes {{ $value | humanizePercentage }} of a CPU.',
          }, config.selfCpuFor) + because('cpu'),
          alert('MemwatchSelfOverBudget', 'info', '%s == 1' % series('memwatch_restraint', ['step!="none"']), {
            summary: 'memwatch does less to stay in its limits.',
            description: 'memwatch in {{ $labels.instance }} ({{ $labels.job }}) is on step {{ $labels.step }}: it sees less than it is set to.',
          }, config.restraintFor) + because('restraint'),

          alert('MemwatchDropping', 'info', 'rate(%s[5m]) > 0' % series('memwatch_dropped_total'), {
            summary: 'memwatch loses records.',
            description: 'memwatch in {{ $labels.instance }} ({{ $labels.job }}) loses {{ $value | printf "%.2g" }} records a second: {{ $labels.reason }}.',
          }, config.droppingFor),
          alert('MemwatchDropping', 'warning', 'sum without (reason) (rate(%s[5m])) > %g * rate(%s[5m])' % [series('memwatch_dropped_total'), config.droppingShare, series('memwatch_samples_total')], {
            summary: 'memwatch loses a noticeable share of its records.',
            description: 'memwatch in {{ $labels.instance }} ({{ $labels.job }}) loses {{ $value | printf "%%.2g" }} records a second, more than %g %% of its samples: what it says of sizes and leaks may be off.' % (100 * config.droppingShare),
          }, config.droppingFor),

          alert('MemwatchBlind', 'warning', |||
            (time() - %s > %d unless time() - %s <= %d * %s)
              or %s == 0
          ||| % [
            series('memwatch_verdict_last_look_timestamp_seconds'),
            config.blindAfter,
            series('memwatch_verdict_last_look_timestamp_seconds'),
            config.blindAfterPauses,
            series('memwatch_verdict_pause_seconds'),
            series('memwatch_up'),
          ], {
            summary: 'memwatch does not look for leaks any more.',
            description: 'No look at the live blocks of {{ $labels.instance }} ({{ $labels.job }}) for a while, or no session: a leak would go unnoticed.',
          }, '5m'),
        ],
      },
    ],
  },
}
