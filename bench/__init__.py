# SPDX-License-Identifier: ISC
"""Benchmarks against the tools that users would otherwise take."""
