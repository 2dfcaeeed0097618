//! What the machine refuses, told as what the settings check refuses: with its place in the file.

use anyhow::{Error, anyhow};
use palisade_admin::DoorError;
use palisade_config::{Location, Problem, Settings, Severity};
use palisade_proxy::ListenError;

/// Why a listener of these settings can't be opened.
pub(crate) fn listener(error: &ListenError, settings: &Settings) -> Error {
    let places = settings.listeners.iter().zip(&settings.places.listeners);
    let named = |listener: std::net::SocketAddr| listener == error.address();
    let place = places
        .into_iter()
        .find(|(listener, _)| named(listener.address));
    match place {
        Some((_, place)) => at(place, error),
        None => anyhow!("{error}"),
    }
}

/// Why a door of these settings can't be opened.
pub(crate) fn door(error: &DoorError, settings: &Settings) -> Error {
    let places = &settings.places;
    match error {
        DoorError::Address {
            door: "metrics", ..
        } => at(&places.metrics, error),
        DoorError::Address { .. } => at(&places.admin, error),
        DoorError::Socket { .. } => at(&places.admin_socket, error),
        _ => anyhow!("{error}"),
    }
}

fn at(place: &Location, error: &dyn std::fmt::Display) -> Error {
    let problem = Problem {
        location: place.clone(),
        severity: Severity::Error,
        message: error.to_string(),
    };
    anyhow!("{problem}")
}
