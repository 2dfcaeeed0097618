//! CrowdSec LAPI: the decision stream
