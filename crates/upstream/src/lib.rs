//! Pools of backend servers: balancing, connecting, ejection
