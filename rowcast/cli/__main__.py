"""`python -m rowcast.cli`, the same as `rowcast`."""

import sys

from rowcast.cli.main import main

sys.exit(main())
