//! `palisade waf explain`: which rules match a request, and what comes of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Result, bail};
use palisade_ftw::{RawResponse, Request};
use palisade_seclang::{CompileOptions, Countries, WorkerOptions};
use palisade_vocabulary::Scheme;
use palisade_waf::{Case, CountryDatabase, stopwatch, system_clock};

use super::json::Report;
use super::story::Story;
use super::terminal::json_shown;
use super::{message, rules};
use crate::arguments::WafExplain;
use crate::{Exit, complain, say};

pub(super) fn explain(arguments: &WafExplain) -> Result<Exit> {
    let (patterns, url) = rules_and_url(arguments);
    let Some(sent) = message::sent(arguments, url)? else {
        complain(
            "palisade: nothing is to be explained; name a URL, like https://app.example.com/, or a \
             file with --raw. For more, try: palisade waf explain --help",
        );
        return Ok(Exit::WrongUsage);
    };
    let answer = arguments
        .response
        .as_deref()
        .map(message::read)
        .transpose()?;
    let response = answer.as_deref().map(RawResponse::read);
    let status = response.as_ref().and_then(|response| response.status);
    if response.is_some() && status.is_none() {
        bail!("the file of --response is no answer; expected one that begins like HTTP/1.1 200 OK");
    }
    let countries = arguments.country_database.as_deref();
    let countries = countries.map(CountryDatabase::open).transpose()?;
    let options = CompileOptions {
        has_countries: countries.is_some(),
        // Which rules matched that nobody is told of is known of those that are asked.
        fold: false,
        ..CompileOptions::default()
    };
    let Some(program) = rules::load(patterns, options) else {
        return Ok(Exit::Failed);
    };
    let request = Request::read(&sent.bytes);
    let port = match sent.scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    let case = Case {
        client: SocketAddr::new(arguments.client, 40_000),
        server: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        request: &request,
        response: status.zip(response.as_ref()),
    };
    let options = WorkerOptions {
        stopwatch,
        countries: countries.map(|countries| Arc::new(countries) as Arc<dyn Countries>),
        ..WorkerOptions::new(system_clock)
    };
    let explanation = palisade_waf::explain(&program, options.clone(), &case);
    let story = Story {
        program: &program,
        case: &case,
        oddities: message::oddities(&request, &sent.bytes),
        explanation: &explanation,
        budget: options.budget,
    };
    if arguments.json {
        let json = serde_json::to_string_pretty(&Report::of(&story))?;
        say(&json_shown(&json));
    } else {
        story.tell(arguments.all);
    }
    Ok(Exit::Done)
}

/// `--rules` takes all values that follow; a URL behind them is none of them.
fn rules_and_url(arguments: &WafExplain) -> (&[String], Option<&str>) {
    match (&arguments.url, &*arguments.rules) {
        (None, [rules @ .., url]) if url.contains("://") && arguments.raw.is_none() => {
            (rules, Some(url))
        }
        (url, rules) => (rules, url.as_deref()),
    }
}
