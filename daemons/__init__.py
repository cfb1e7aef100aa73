# SPDX-License-Identifier: ISC
"""Programs that run all the time; import them as skytools.daemons."""
