"""The adapters: one module per engine, all behind the port in `base`."""
