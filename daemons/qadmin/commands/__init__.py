# SPDX-License-Identifier: ISC
"""The commands of the console, a group to a file."""
