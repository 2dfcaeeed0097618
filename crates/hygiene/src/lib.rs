//! HTTP message syntax: what is ambiguous or malformed, and the canonical path
