//! `palisade waf`: rules checked, explained, tested and excluded, and what a second set would change, offline.

mod check;
mod costs;
mod exclude;
mod expired;
mod explain;
mod json;
mod message;
mod rules;
mod shadow;
mod story;
mod terminal;
mod test;

use anyhow::Result;

pub(crate) use expired::tell_expired;
pub(crate) use message::read as read_message;
pub(crate) use story::ending;
pub(crate) use terminal::shown;

use crate::Exit;
use crate::arguments::{Waf, WafAction};

pub(crate) fn waf(arguments: &Waf) -> Result<Exit> {
    match &arguments.action {
        WafAction::Check(arguments) => check::check(arguments),
        WafAction::Explain(arguments) => explain::explain(arguments),
        WafAction::Exclude(arguments) => exclude::exclude(arguments),
        WafAction::Test(arguments) => test::test(arguments),
        WafAction::Shadow(arguments) => shadow::shadow(arguments),
    }
}
