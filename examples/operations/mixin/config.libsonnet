// SPDX-License-Identifier: Apache-2.0
// What differs from place to place. Override it rather than edit it:
//
//   (import 'memwatch-mixin/mixin.libsonnet') + { _config+:: { memwatchSelector: 'job=~"shop-.*"' } }
{
  _config+:: {
    // Which series are memwatch's, where a Prometheus has several kinds of them: 'job=~"shop-.*"'. Empty: all.
    memwatchSelector: '',

    // Where the runbooks are at your place; %s is the alert's name in lower case: 'https://git.example.com/memwatch/docs/runbooks/%s.md'.
    // Empty: no runbook_url, as a relative one is a dead link in each notification; the annotation `runbook` names the page.
    runbookURLPattern: '',

    // A verdict has a hysteresis of its own (three epochs), so nothing is waited for here.
    leakFor: '0s',
    // What a leak keeps is an estimate: near a threshold its severity would go to and fro, and each time an alert ends and another
    // begins. The highest of that long counts.
    severityHeldFor: '10m',

    timeToOom: {
      info: { below: 24 * 3600, 'for': '15m' },
      warning: { below: 4 * 3600, 'for': '5m' },
      critical: { below: 30 * 60, 'for': '1m' },
    },

    // Threads that wait for a pool's objects, and for how long that may be.
    poolWaitFor: '5m',
    poolRefusedFor: '1m',

    // Of memwatch_self_budget_bytes: MEMWATCH_BUDGET. memwatch itself does less from 2 on.
    selfOverBudget: {
      warning: { above: 1.125, 'for': '10m' },
      critical: { above: 2, 'for': '10m' },
    },
    // How long it may take more CPU than its limit, or do less to stay in its limits.
    selfCpuFor: '10m',
    restraintFor: '10m',

    // Records lost. A few are a note; a share of all samples makes the figures worse than they look.
    droppingFor: '10m',
    droppingShare: 0.05,

    // Looks that stand still: nobody would be told of a leak. So many seconds, and so many of the pauses that the service itself says it
    // makes (memwatch_verdict_pause_seconds: MEMWATCH_EPOCH, or more where looks are costly).
    blindAfter: 5 * 60,
    blindAfterPauses: 3,

    dashboard: {
      title: 'memwatch',
      uid: 'memwatch-overview',
      tags: ['memwatch', 'memory'],
      refresh: '30s',
      from: 'now-6h',
    },
  },
}
