"""`python -m harness`."""

import sys

if __name__ == "__main__":
    try:
        from harness.cli import main
    except KeyboardInterrupt:  # Ctrl-C while that imports: nothing has begun
        sys.exit(130)
    main()
