"""`python -m notebooks.tools build`: see `building`."""

import sys

from notebooks.tools.building import main

sys.exit(main())
