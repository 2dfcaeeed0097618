//! `GET /decisions`.

use std::time::Duration;

use palisade_decisions::{Decision, DecisionId, Filter, ListedDecision, Scope, SourceId};
use palisade_vocabulary::{Ip, Tick};

use crate::api::{DecisionRow, LISTED_MAX, ListAnswer};
use crate::context::AdminContext;
use crate::query::{Query, excerpt};
use crate::status::seconds_up;

/// Which decisions to list: the query of `GET /decisions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// Only those that hold for this address: on itself, a range around it, its country or its
    /// autonomous system.
    address: Option<Ip>,
    source: Option<SourceId>,
    limit: usize,
}

impl ListRequest {
    /// Reads `address`, `source` and `limit`; each may be left out.
    ///
    /// # Errors
    /// What is wrong with the query, as text for the caller.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let query = Query::parse(query, &["address", "source", "limit"])?;
        let address = query.get("address").map(str::parse::<Ip>).transpose();
        Ok(Self {
            address: address.map_err(|error| error.to_string())?,
            source: query.get("source").map(parse_source).transpose()?,
            limit: query.get("limit").map_or(Ok(Filter::LIMIT), parse_limit)?,
        })
    }

    /// The decisions that hold now.
    pub(super) fn list(self, context: &AdminContext, now: Tick) -> ListAnswer {
        let table = &context.shared.state.decisions;
        let mut total = 0;
        let mut listed: Vec<ListedDecision> = Vec::new();
        for filter in self.filters(context) {
            let part = table.list(&filter, now);
            total += part.total;
            listed.extend(part.decisions);
        }
        // Each part is in order and has the first of its kind, so the first of all are among them.
        listed.sort_by_key(|row| (row.source, row.decision.scope, row.decision.id));
        listed.truncate(self.limit);
        let rows = listed.iter().map(|listed| {
            row(
                listed.source,
                &listed.decision,
                &listed.origin_label,
                listed.remaining,
            )
        });
        ListAnswer {
            decisions: rows.collect(),
            total,
        }
    }

    /// What to ask the table: it knows ranges, but not where an address is.
    fn filters(self, context: &AdminContext) -> Vec<Filter> {
        let filter = Filter {
            source: self.source,
            address: self.address,
            limit: self.limit,
            ..Filter::default()
        };
        let Some(address) = self.address else {
            return vec![filter];
        };
        let place = context.shared.generation.load().snapshot.geo.place(address);
        let country = place.country.value().map(Scope::Country);
        let network = place.asn.value().map(Scope::As);
        let places = [country, network]
            .into_iter()
            .flatten()
            .map(|scope| Filter {
                scope: Some(scope),
                address: None,
                ..filter.clone()
            });
        places.chain([filter.clone()]).collect()
    }
}

fn parse_source(text: &str) -> Result<SourceId, String> {
    let mut all = SourceId::ALL.into_iter();
    all.find(|source| source.as_str() == text).ok_or_else(|| {
        format!(
            "source \"{}\" is not known; expected local or crowdsec",
            excerpt(text)
        )
    })
}

fn parse_limit(text: &str) -> Result<usize, String> {
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=LISTED_MAX).contains(limit));
    limit.ok_or_else(|| {
        format!(
            "limit \"{}\" is out of bounds; expected 1 to {LISTED_MAX}",
            excerpt(text)
        )
    })
}

/// A decision as the API shows it.
pub(super) fn row(
    source: SourceId,
    decision: &Decision,
    origin: &str,
    remaining: Duration,
) -> DecisionRow {
    DecisionRow {
        id: decision.id.map(DecisionId::get),
        source: source.as_str().to_owned(),
        scope: decision.scope.name().to_owned(),
        value: decision.scope.to_string(),
        kind: decision.remedy.to_string(),
        origin: origin.to_owned(),
        reason: decision.scenario.to_string(),
        expires_in_seconds: seconds_up(remaining),
    }
}
