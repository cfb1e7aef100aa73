# SPDX-License-Identifier: ISC
"""The Python API of Skytools 3 (`import skytools`, `import pgq`), on our own core.

Modules have the names they had there: `skytools.quoting` leads to `skytools.compat.quoting`.
"""
