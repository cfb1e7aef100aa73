// SPDX-License-Identifier: ISC
// Thresholds and names; override with `(import 'mixin.libsonnet') + { _config+:: { ... } }`.
{
  _config+:: {
    // Label selector of the scrape job.
    selector: 'job="skytools"',

    jobDownFor: '5m',
    jobFailures: 3,
    jobFailuresWindow: '15m',

    tickLagSeconds: 60,
    consumerLagSeconds: 300,
    consumerLagCriticalSeconds: 3600,
    consumerGoneSeconds: 1800,
    // rotation_period of most queues, and how many of them may pass without a rotation.
    rotationPeriodSeconds: 7200,
    rotationPeriods: 4,

    copyFailures: 3,
    copyFailuresWindow: '15m',

    walArchiveSeconds: 900,
    // A day and two hours: for a backup every night.
    backupSeconds: 93600,
    diskFullSeconds: 86400,
    // For a copy elsewhere every few minutes, up to every hour.
    offsiteSeconds: 7200,

    // An alert's heading in monitoring.md of this folder, which the package installs there.
    runbookUrl: 'file:///usr/share/doc/skytools/monitoring.md#',
    dashboardTitle: 'Skytools',
    dashboardUid: 'skytools',
    dashboardTags: ['skytools', 'postgresql'],
  },
}
