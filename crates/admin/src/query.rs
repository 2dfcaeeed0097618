//! The parameters of a request's target.

/// Parameters by name, each of a known name and there once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads `query` (the part after `?`; URL standard, application/x-www-form-urlencoded).
    ///
    /// # Errors
    /// What is unknown or there twice, as text for the caller.
    pub(crate) fn parse(query: Option<&str>, known: &[&'static str]) -> Result<Self, String> {
        let mut parameters: Vec<(&'static str, String)> = Vec::with_capacity(known.len());
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let Some(known) = known.iter().find(|known| **known == name) else {
                let shown = excerpt(&name);
                let known = known.join(", ");
                return Err(format!(
                    "parameter \"{shown}\" is not known; expected {known}"
                ));
            };
            if parameters.iter().any(|(there, _)| there == known) {
                return Err(format!(
                    "parameter {known} is there twice; expected it once"
                ));
            }
            parameters.push((known, value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(there, _)| *there == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The beginning of what a caller sent, to show it back on a terminal.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 50;
    text.chars()
        .take(CHARS_MAX)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let got = match Query::parse(Some(query), &["address", "limit"]) {
            Ok(query) => format!("{:?} {:?}", query.get("address"), query.get("limit")),
            Err(error) => error,
        };
        assert_eq!(got, expected, "{query}");
    }

    #[test]
    fn parameters_are_known_and_there_once() {
        check("", "None None");
        check("limit=5&address=%3A%3A1", "Some(\"::1\") Some(\"5\")");
        check("limit", "None Some(\"\")");
        check(
            "limit=1&limit=1",
            "parameter limit is there twice; expected it once",
        );
        check(
            "adress=1",
            "parameter \"adress\" is not known; expected address, limit",
        );
        check(
            "%0A=1",
            "parameter \"\\n\" is not known; expected address, limit",
        );
        assert_eq!(Query::parse(None, &[]), Ok(Query(Vec::new())));
    }
}
