"""The subcommands of ``interlock``: one module each, with ``register(subparsers)``."""
