// SPDX-License-Identifier: ISC
// A monitoring mixin (monitoring.mixins.dev). What `make -C examples/monitoring` makes of it is in rendered/.
(import 'config.libsonnet') +
(import 'alerts.libsonnet') +
(import 'dashboard.libsonnet') +
{ prometheusRules+:: { groups: [] } }
