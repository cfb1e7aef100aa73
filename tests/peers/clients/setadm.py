# SPDX-License-Identifier: ISC
"""The admin program of cascades as python3-pgq has it:  setadm.py [switches] INI COMMAND ..."""

import sys

import pgq

if __name__ == "__main__":
    pgq.CascadeAdmin("cascade_admin", "node_db", sys.argv[1:]).start()
