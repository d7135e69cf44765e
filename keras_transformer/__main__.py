"""`python -m keras_transformer` is the command `keras-transformer`."""

from .cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
