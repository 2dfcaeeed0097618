//! The checks of a request, the snapshot they read and the state they touch

pub mod settings;
