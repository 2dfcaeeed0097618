//! The settings file: YAML to validated settings, all errors at once
