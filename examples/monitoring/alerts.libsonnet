// SPDX-License-Identifier: ISC
local alert(name, severity, expr, wait, summary, description, url) = {
  alert: name,
  expr: expr,
  labels: { severity: severity },
  annotations: {
    summary: summary,
    description: description,
    runbook_url: url + std.asciiLower(name),
  },
} + (if wait == '' then {} else { 'for': wait });

{
  prometheusAlerts+:: {
    local c = $._config,
    local s = c.selector,
    local warning(name, expr, wait, summary, description) =
      alert(name, 'warning', expr, wait, summary, description, c.runbookUrl),
    local critical(name, expr, wait, summary, description) =
      alert(name, 'critical', expr, wait, summary, description, c.runbookUrl),

    groups: [
      {
        name: 'skytools-jobs',
        rules: [
          critical(
            'SkytoolsJobDown',
            'skytools_job_desired{%s} == 1 and on (instance, job_name) skytools_job_ready{%s} == 0' % [s, s],
            c.jobDownFor,
            'Job {{ $labels.job_name }} does not work.',
            'Job {{ $labels.job_name }} on {{ $labels.instance }} is wanted and has not been ready for %s.' % c.jobDownFor,
          ),
          warning(
            'SkytoolsJobFlapping',
            'increase(skytools_job_failures_total{%s}[%s]) > %d' % [s, c.jobFailuresWindow, c.jobFailures],
            '',
            'Job {{ $labels.job_name }} fails again and again.',
            'Job {{ $labels.job_name }} on {{ $labels.instance }} has ended {{ $value | printf "%%.0f" }} times without being asked in %s.' % c.jobFailuresWindow,
          ),
          warning(
            'SkytoolsConfigReloadFailed',
            'skytools_config_last_reload_successful{%s} == 0' % s,
            '5m',
            'Skytools runs with an old configuration.',
            'The configuration on {{ $labels.instance }} has a fault, the last good one is still in use.',
          ),
          critical(
            'SkytoolsMetricsMissing',
            'up{%s} == 0 or absent(skytools_build_info{%s})' % [s, s],
            '5m',
            'No metrics of Skytools.',
            'Prometheus gets no metrics of the manager: it is down, or the scrape job is missing.',
          ),
        ],
      },
      {
        name: 'skytools-queues',
        rules: [
          critical(
            'SkytoolsTickerStalled',
            'skytools_pgq_queue_tick_lag_seconds{%s} > %d unless on (database, queue) skytools_pgq_queue_ticker_paused{%s} == 1' % [s, c.tickLagSeconds, s],
            '2m',
            'Queue {{ $labels.queue }} gets no ticks.',
            'Queue {{ $labels.queue }} of database {{ $labels.database }} had its last tick {{ $value | humanizeDuration }} ago.',
          ),
          warning(
            'SkytoolsConsumerLag',
            'skytools_pgq_consumer_lag_seconds{%s} > %d' % [s, c.consumerLagSeconds],
            '10m',
            'Consumer {{ $labels.consumer }} lags.',
            'Consumer {{ $labels.consumer }} of queue {{ $labels.queue }} (database {{ $labels.database }}) is {{ $value | humanizeDuration }} behind.',
          ),
          critical(
            'SkytoolsConsumerLag',
            'skytools_pgq_consumer_lag_seconds{%s} > %d' % [s, c.consumerLagCriticalSeconds],
            '10m',
            'Consumer {{ $labels.consumer }} lags far behind.',
            'Consumer {{ $labels.consumer }} of queue {{ $labels.queue }} (database {{ $labels.database }}) is {{ $value | humanizeDuration }} behind.',
          ),
          warning(
            'SkytoolsConsumerGone',
            'skytools_pgq_consumer_last_seen_seconds{%s} > %d' % [s, c.consumerGoneSeconds],
            '5m',
            'Consumer {{ $labels.consumer }} does nothing.',
            'Consumer {{ $labels.consumer }} of queue {{ $labels.queue }} (database {{ $labels.database }}) was last seen {{ $value | humanizeDuration }} ago. Its queue grows as long as it is registered.',
          ),
          warning(
            'SkytoolsRotationBlocked',
            'skytools_pgq_queue_rotation_age_seconds{%s} > %d' % [s, c.rotationPeriods * c.rotationPeriodSeconds],
            '15m',
            'Queue {{ $labels.queue }} grows.',
            'The tables of queue {{ $labels.queue }} (database {{ $labels.database }}) were last rotated {{ $value | humanizeDuration }} ago: a consumer is behind, or maintenance fails.',
          ),
        ],
      },
      {
        name: 'skytools-londiste',
        rules: [
          critical(
            'LondisteTableDiffers',
            'skytools_londiste_audit_differs{%s} == 1' % s,
            '',
            'Table {{ $labels.table }} is not as it is at its source.',
            'The audit of {{ $labels.job_name }} on {{ $labels.instance }} finds that {{ $labels.table }} differs (queue {{ $labels.queue }}).',
          ),
          warning(
            'LondisteCopyFails',
            'increase(skytools_londiste_copy_failures_total{%s}[%s]) > %d' % [s, c.copyFailuresWindow, c.copyFailures],
            '',
            'A table cannot be copied.',
            'Copies of {{ $labels.job_name }} on {{ $labels.instance }} have failed {{ $value | printf "%%.0f" }} times in %s.' % c.copyFailuresWindow,
          ),
        ],
      },
      {
        name: 'skytools-walmgr',
        rules: [
          critical(
            'WalArchiveStale',
            'time() - skytools_walmgr_last_archived_timestamp_seconds{%s} > %d and skytools_walmgr_archive_ready_files{%s} > 0' % [s, c.walArchiveSeconds, s],
            '5m',
            'WAL is not archived.',
            'WAL of {{ $labels.job_name }} waits on {{ $labels.instance }}, and none was archived for {{ $value | humanizeDuration }}.',
          ),
          warning(
            'WalBackupOld',
            'time() - skytools_walmgr_backup_last_success_timestamp_seconds{%s} > %d' % [s, c.backupSeconds],
            '',
            'The last backup is old.',
            'The last good backup of {{ $labels.job_name }} on {{ $labels.instance }} is {{ $value | humanizeDuration }} old.',
          ),
          warning(
            'WalDiskFillsUp',
            'skytools_walmgr_disk_full_after_seconds{%s} < %d' % [s, c.diskFullSeconds],
            '15m',
            'The disk of the WAL archive will be full.',
            'The disk of {{ $labels.job_name }} on {{ $labels.instance }} will be full in {{ $value | humanizeDuration }}.',
          ),
          critical(
            'WalArchiveGap',
            'skytools_walmgr_archive_gaps{%s} > 0' % s,
            '15m',
            'The WAL archive has a gap.',
            '{{ $value }} segments of {{ $labels.job_name }} are missing on {{ $labels.instance }}: recovery cannot pass them.',
          ),
          critical(
            'WalReceiverDown',
            'skytools_walmgr_receiver_up{%s} == 0' % s,
            '5m',
            'Nothing receives WAL.',
            'pg_receivewal of {{ $labels.job_name }} does not run on {{ $labels.instance }}: the last seconds are not safe.',
          ),
          critical(
            'WalDrillFailed',
            'skytools_walmgr_drill_last_good{%s} == 0' % s,
            '',
            'A trial restore failed.',
            'The newest backup set of {{ $labels.job_name }} on {{ $labels.instance }} could not be restored.',
          ),
          warning(
            'WalOffsiteLate',
            'skytools_walmgr_offsite_pending_files{%s} > 0 unless time() - skytools_walmgr_offsite_last_success_timestamp_seconds{%s} <= %d' % [s, s, c.offsiteSeconds],
            '15m',
            'The copy elsewhere is late.',
            '{{ $value }} files of {{ $labels.job_name }} on {{ $labels.instance }} are not there yet.',
          ),
        ],
      },
    ],
  },
}
