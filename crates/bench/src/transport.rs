//! How requests are carried.

/// TLS 1.3, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain TCP.
    Off,
    /// Each connection has a whole handshake.
    Full,
    /// Connections resume the session of one before.
    Resumed,
}

/// How requests are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// Its name in tables.
    pub title: &'static str,
    /// Whether it is encrypted.
    pub tls: Tls,
    /// HTTP/2 with so many requests at a time on each connection; else HTTP/1.1.
    pub streams: Option<usize>,
    /// Whether a connection carries more than one request.
    pub is_reused: bool,
    /// Whether each connection starts with a PROXY protocol v2 header.
    pub proxy: bool,
}

/// HTTP/1.1 over plain TCP, on connections that stay open.
pub const KEEP_ALIVE: Transport = Transport {
    name: "keep-alive",
    title: "keep-alive",
    tls: Tls::Off,
    streams: None,
    is_reused: true,
    proxy: false,
};

/// HTTP/1.1 over TLS 1.3, on connections that stay open.
pub const TLS: Transport = Transport {
    name: "tls",
    title: "TLS 1.3, keep-alive",
    tls: Tls::Full,
    ..KEEP_ALIVE
};

/// All of them, in the order of the tables.
pub const ALL: [Transport; 9] = [
    KEEP_ALIVE,
    Transport {
        name: "new",
        title: "new connection",
        is_reused: false,
        ..KEEP_ALIVE
    },
    Transport {
        name: "proxy",
        title: "PROXY v2, keep-alive",
        proxy: true,
        ..KEEP_ALIVE
    },
    Transport {
        name: "proxy-new",
        title: "PROXY v2, new connection",
        proxy: true,
        is_reused: false,
        ..KEEP_ALIVE
    },
    TLS,
    Transport {
        name: "tls-full",
        title: "TLS 1.3, new",
        tls: Tls::Full,
        is_reused: false,
        ..KEEP_ALIVE
    },
    Transport {
        name: "tls-resumed",
        title: "TLS 1.3, resumed",
        tls: Tls::Resumed,
        is_reused: false,
        ..KEEP_ALIVE
    },
    Transport {
        name: "h2-1",
        title: "HTTP/2, 1 stream",
        tls: Tls::Full,
        streams: Some(1),
        ..KEEP_ALIVE
    },
    Transport {
        name: "h2-100",
        title: "HTTP/2, 100 streams",
        tls: Tls::Full,
        streams: Some(100),
        ..KEEP_ALIVE
    },
];
