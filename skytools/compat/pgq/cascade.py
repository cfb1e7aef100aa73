# SPDX-License-Identifier: ISC
"""`pgq.cascade` of python3-pgq: consumers of cascaded queues, in modules by their old names."""

from skytools.compat.pgq.cascadedconsumer import CascadedConsumer

__all__ = ["CascadedConsumer"]

# Passes for a package, see pgq.py.
__path__: list[str] = []
