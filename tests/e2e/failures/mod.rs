//! What happens when something that Palisade depends on fails, one suite for each dependency. Each
//! row breaks the real thing while clients ask, and says what they saw, what the metrics and
//! `/status` said, and that nobody had to do anything once the thing was whole again.

mod load;
