//! The metrics and admin doors: /metrics, /healthz, /readyz, /status, decisions
