// SPDX-License-Identifier: ISC
local datasource = { type: 'prometheus', uid: '${datasource}' };

local target(expr, legend) = { datasource: datasource, expr: expr, legendFormat: legend };

local panel(title, type, unit, targets, description='') = {
  title: title,
  type: type,
  description: description,
  datasource: datasource,
  targets: [targets[i] { refId: std.char(65 + i) } for i in std.range(0, std.length(targets) - 1)],
  fieldConfig: { defaults: { unit: unit }, overrides: [] },
};

local stat(title, expr, description) = panel(title, 'stat', 'short', [target(expr, '')], description);
local graph(title, unit, targets, description='') = panel(title, 'timeseries', unit, targets, description);

// Panels of one row of the dashboard, side by side.
local place(y, height, panels) = [
  panels[i] { gridPos: { x: i * std.floor(24 / std.length(panels)), y: y, w: std.floor(24 / std.length(panels)), h: height } }
  for i in std.range(0, std.length(panels) - 1)
];

local variable(name, metric) = {
  name: name,
  type: 'query',
  datasource: datasource,
  query: 'label_values(%s, %s)' % [metric, name],
  refresh: 2,
  multi: true,
  includeAll: true,
  allValue: '.*',
};

{
  grafanaDashboards+:: {
    local c = $._config,
    local s = '%s, instance=~"$instance"' % c.selector,
    local q = '%s, database=~"$database", queue=~"$queue"' % s,

    'dashboard.json': {
      title: c.dashboardTitle,
      uid: c.dashboardUid,
      tags: c.dashboardTags,
      editable: true,
      schemaVersion: 36,
      time: { from: 'now-1h', to: 'now' },
      refresh: '30s',
      templating: {
        list: [
          { name: 'datasource', type: 'datasource', query: 'prometheus' },
          variable('instance', 'skytools_build_info'),
          variable('database', 'skytools_pgq_queue_tick_lag_seconds'),
          variable('queue', 'skytools_pgq_queue_tick_lag_seconds'),
        ],
      },
      local rows =
        place(0, 4, [
          stat('Jobs wanted', 'sum(skytools_job_desired{%s})' % s, 'Jobs that should run.'),
          stat('Jobs not ready', 'sum(skytools_job_desired{%s} == 1 and on (instance, job_name) skytools_job_ready{%s} == 0) or vector(0)' % [s, s], 'Wanted, but not working.'),
          stat('Failures in an hour', 'sum(increase(skytools_job_failures_total{%s}[1h]))' % s, 'Ends that nobody asked for.'),
          stat('Oldest consumer lag, s', 'max(skytools_pgq_consumer_lag_seconds{%s})' % q, 'Age of the oldest batch not done.'),
        ]) +
        place(4, 8, [
          graph('Events per second', 'ops', [target('rate(skytools_pgq_queue_events_total{%s}[$__rate_interval])' % q, '{{database}} {{queue}}')]),
          graph('Ticks per second', 'ops', [target('rate(skytools_ticker_ticks_total{%s}[$__rate_interval])' % q, '{{database}} {{queue}}')]),
        ]) +
        place(12, 8, [
          graph('Consumer lag', 's', [target('skytools_pgq_consumer_lag_seconds{%s}' % q, '{{queue}} {{consumer}}')]),
          graph('Events waiting', 'short', [target('skytools_pgq_consumer_pending_events{%s}' % q, '{{queue}} {{consumer}}')], 'An upper bound.'),
        ]) +
        place(20, 8, [
          graph('Age of the last tick', 's', [target('skytools_pgq_queue_tick_lag_seconds{%s}' % q, '{{database}} {{queue}}')]),
          graph('Age of the last rotation', 's', [target('skytools_pgq_queue_rotation_age_seconds{%s}' % q, '{{database}} {{queue}}')]),
        ]) +
        place(28, 8, [
          graph('Events handled per second', 'ops', [target('rate(skytools_consumer_events_total{%s}[$__rate_interval])' % s, '{{job_name}} {{queue}}')]),
          graph('Time of a batch', 's', [
            target('histogram_quantile(0.5, sum by (le, job_name) (rate(skytools_consumer_batch_duration_seconds_bucket{%s}[$__rate_interval])))' % s, '{{job_name}} median'),
            target('histogram_quantile(0.99, sum by (le, job_name) (rate(skytools_consumer_batch_duration_seconds_bucket{%s}[$__rate_interval])))' % s, '{{job_name}} 99 %'),
          ]),
        ]) +
        place(36, 8, [
          graph('Failures and faults of the database', 'ops', [
            target('rate(skytools_consumer_batch_failures_total{%s}[$__rate_interval])' % s, '{{job_name}} batches'),
            target('rate(skytools_db_errors_total{%s}[$__rate_interval])' % s, '{{job_name}} {{connection}}'),
          ]),
          graph('Memory', 'bytes', [target('process_resident_memory_bytes{%s}' % s, '{{job_name}}')]),
        ]) +
        place(44, 8, [
          graph('WAL waiting for the archive', 'short', [target('skytools_walmgr_archive_ready_files{%s}' % s, '{{job_name}}')]),
          graph('Age of the last backup', 's', [target('time() - skytools_walmgr_backup_last_success_timestamp_seconds{%s}' % s, '{{job_name}}')]),
        ]),
      panels: [rows[i] { id: i + 1 } for i in std.range(0, std.length(rows) - 1)],
    },
  },
}
