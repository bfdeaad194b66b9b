// SPDX-License-Identifier: Apache-2.0
// The one source of memwatch's alerts, recording rules and dashboard, laid out as monitoring-mixins are.
(import 'alerts/alerts.libsonnet') +
(import 'rules/rules.libsonnet') +
(import 'dashboards/memwatch.libsonnet') +
(import 'config.libsonnet')
