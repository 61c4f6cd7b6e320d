"""``python -m cmcsl_lib.cli`` is the command `cmcsl`."""

import sys

from . import main

sys.exit(main())
