//! Buffered TCP and TLS streams for Pingora's HTTP sessions
