//! nginx, alone and with what Debian packages for it.

use super::{List, Peer, Server, modsecurity};
use crate::place::{Duty, File, Opens};

const SERVER: Server = Server {
    program: "nginx",
    version: &["-v"],
    files: &[File {
        name: "nginx.conf",
        template: include_str!("../../peers/nginx/nginx.conf"),
    }],
    arguments: &[
        "-e",
        "error.log",
        "-p",
        "{{folder}}",
        "-c",
        "{{folder}}/nginx.conf",
    ],
    environment: &[],
};

const OPENS: Opens = Opens {
    tls: true,
    http2: true,
    proxy: true,
};

/// Where the client's address is needed and not only passed on.
const HOP: File = File {
    name: "hop.conf",
    template: include_str!("../../peers/nginx/hop.conf"),
};
const PROXY: File = File {
    name: "proxy.conf",
    template: include_str!("../../peers/nginx/proxy.conf"),
};
const NO_MODULES: File = modules("");

const fn modules(template: &'static str) -> File {
    File {
        name: "modules.conf",
        template,
    }
}

const fn http(template: &'static str) -> File {
    File {
        name: "http.conf",
        template,
    }
}

const fn server(template: &'static str) -> File {
    File {
        name: "server.conf",
        template,
    }
}

/// One that needs nothing beside nginx.
const fn alone(
    name: &'static str,
    title: &'static str,
    duty: Duty,
    files: &'static [File],
) -> Peer {
    Peer {
        name,
        title,
        duty,
        opens: OPENS,
        server: &SERVER,
        needs: &[],
        lists: &[],
        parts: &[],
        files,
    }
}

const WAF_FILES: &[File] = &[
    modules(include_str!("../../peers/nginx/modsecurity-modules.conf")),
    http(include_str!("../../peers/nginx/modsecurity-http.conf")),
    server(""),
    HOP,
    PROXY,
    modsecurity::RULES,
];

const fn waf(name: &'static str, title: &'static str, paranoia: u8) -> Peer {
    Peer {
        needs: &["/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"],
        parts: &[File {
            name: "unicode",
            template: "/etc/nginx/unicode.mapping",
        }],
        ..alone(name, title, Duty::Waf(paranoia), WAF_FILES)
    }
}

pub(super) const PEERS: &[Peer] = &[
    alone(
        "nginx",
        "nginx",
        Duty::Bare,
        &[
            NO_MODULES,
            http(""),
            server(""),
            File {
                name: "hop.conf",
                template: include_str!("../../peers/nginx/bare-hop.conf"),
            },
            File {
                name: "proxy.conf",
                template: include_str!("../../peers/nginx/bare-proxy.conf"),
            },
        ],
    ),
    Peer {
        lists: &[List {
            name: "blocked_geo",
            line: "{{address}}/{{length}} 1;",
            between: "\n",
        }],
        ..alone(
            "nginx-geo",
            "nginx with a geo list",
            Duty::Gate,
            &[
                NO_MODULES,
                http(include_str!("../../peers/nginx/geo-http.conf")),
                server(include_str!("../../peers/nginx/geo-server.conf")),
                HOP,
                PROXY,
                File {
                    name: "blocked.conf",
                    template: "{{blocked_geo}}\n",
                },
            ],
        )
    },
    Peer {
        needs: &[
            "/usr/lib/nginx/modules/ndk_http_module.so",
            "/usr/lib/nginx/modules/ngx_http_lua_module.so",
        ],
        ..alone(
            "nginx-lua",
            "nginx with a Lua bouncer",
            Duty::Gate,
            &[
                modules(include_str!("../../peers/nginx/lua-modules.conf")),
                http(include_str!("../../peers/nginx/lua-http.conf")),
                server(include_str!("../../peers/nginx/lua-server.conf")),
                HOP,
                PROXY,
                File {
                    name: "bouncer.lua",
                    template: include_str!("../../peers/nginx/bouncer.lua"),
                },
            ],
        )
    },
    Peer {
        needs: &["/usr/lib/nginx/modules/ngx_http_js_module.so"],
        lists: &[
            List {
                name: "blocked_lengths",
                line: "{{length}}",
                between: ",",
            },
            List {
                name: "blocked_networks",
                line: "\"{{number}}/{{length}}\":1",
                between: ",\n",
            },
        ],
        ..alone(
            "nginx-njs",
            "nginx with an njs bouncer",
            Duty::Gate,
            &[
                modules(include_str!("../../peers/nginx/njs-modules.conf")),
                http(include_str!("../../peers/nginx/njs-http.conf")),
                // The script says what `geo` says.
                server(include_str!("../../peers/nginx/geo-server.conf")),
                HOP,
                PROXY,
                File {
                    name: "bouncer.js",
                    template: include_str!("../../peers/nginx/bouncer.js"),
                },
                File {
                    name: "blocked.json",
                    template: "{\"lengths\":[{{blocked_lengths}}],\"networks\":{\n{{blocked_networks}}\n}}\n",
                },
            ],
        )
    },
    alone(
        "nginx-auth-request",
        "nginx with auth_request",
        Duty::Gate,
        &[
            NO_MODULES,
            http(include_str!("../../peers/nginx/auth-http.conf")),
            server(include_str!("../../peers/nginx/auth-server.conf")),
            HOP,
            PROXY,
        ],
    ),
    waf("nginx-modsecurity", "nginx with ModSecurity 3", 1),
    waf(
        "nginx-modsecurity-2",
        "nginx with ModSecurity 3, paranoia 2",
        2,
    ),
];
