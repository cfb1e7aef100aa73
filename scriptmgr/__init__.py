# SPDX-License-Identifier: ISC
"""The manager: keeps the jobs of a folder of ini files running, and tells how they are."""
