# SPDX-License-Identifier: ISC
"""What servers and ssh start for every segment: `python -IS fast.py FOLDER PROGRAM INI xarchive`.

Without the interpreter's search for packages it starts in half the time: FOLDER is where the
package is. PROGRAM is walmgr itself, which the other host is asked for.
"""

import sys

if __name__ == "__main__":
    del sys.argv[0]
    sys.path.insert(0, sys.argv[0])
    del sys.argv[0]
    from skytools.walmgr.cli import main

    main()
