//! PROXY protocol, forwarded headers and trust, resolved to one client address
