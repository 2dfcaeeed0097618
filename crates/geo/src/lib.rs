//! MaxMind database bytes to country and autonomous system
