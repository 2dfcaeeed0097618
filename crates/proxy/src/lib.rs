//! Listeners, connections and the life of a request, on pingora-core

pub mod settings;
