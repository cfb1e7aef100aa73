# SPDX-License-Identifier: ISC
"""qadmin: a console for queues, consumers and cascades, and the doctor of both."""
