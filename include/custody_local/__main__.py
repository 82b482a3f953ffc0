"""``python -m custody_local demo``: what ``make demo`` runs."""

import logging
import sys
import warnings

from rich.console import Console


def main() -> int:
    """Run the demo; an expected failure is one sentence and exit status 1, Ctrl-C is quiet."""
    if sys.argv[1:] != ["demo"]:
        print(__doc__, file=sys.stderr)
        return 2
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from custody.errors import CustodyError
    from custody_local.demo import run
    from custody_local.errors import LocalRunError
    from custody_local.options import Options

    console = Console(soft_wrap=True)
    try:
        return run(Options.read(), console)
    except (LocalRunError, CustodyError) as error:
        console.print(f"[red]demo:[/red] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Ended; what was made stays in the home.", highlight=False)
        return 130


if __name__ == "__main__":
    sys.exit(main())
