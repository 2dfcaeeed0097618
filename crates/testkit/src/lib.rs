//! Test support: backend, site builder, allocation counter
