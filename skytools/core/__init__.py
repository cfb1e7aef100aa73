# SPDX-License-Identifier: ISC
"""What every program is built on: errors, config, database access, the service loop."""
