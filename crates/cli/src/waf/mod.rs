//! `palisade waf`: rules checked, explained and tested, and what a second set would change, offline.

mod check;
mod costs;
mod explain;
mod json;
mod message;
mod rules;
mod shadow;
mod story;
mod terminal;
mod test;

use anyhow::Result;

pub(crate) use message::read as read_message;
pub(crate) use story::ending;
pub(crate) use terminal::shown;

use crate::Exit;
use crate::arguments::{Waf, WafAction};

pub(crate) fn waf(arguments: &Waf) -> Result<Exit> {
    match &arguments.action {
        WafAction::Check(arguments) => check::check(arguments),
        WafAction::Explain(arguments) => explain::explain(arguments),
        WafAction::Test(arguments) => test::test(arguments),
        WafAction::Shadow(arguments) => shadow::shadow(arguments),
    }
}
