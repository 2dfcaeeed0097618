//! Which parser a body is for.

use crate::xml::{self, Elements};
use crate::{Body, Limits, Outcome, Scratch, Sink, form, json, multipart};

/// Which parser a body is for: what `REQBODY_PROCESSOR` says and `ctl:requestBodyProcessor` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Processor {
    /// A form.
    Urlencoded,
    /// `multipart/form-data`.
    Multipart,
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// None: what the body means is nobody's business, and rules see it as it is.
    Raw,
}

/// A body and what is said of it elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The body.
    pub body: Body<'a>,
    /// The value of its `Content-Type`; empty where there is none.
    pub content_type: &'a [u8],
    /// What separates the pairs of a form: [`form::SEPARATOR`], or as `SecArgumentSeparator` says.
    pub separator: u8,
    /// Whether elements of XML are arguments, as `SecParseXmlIntoArgs` says.
    pub elements: Elements,
}

impl Processor {
    const ALL: [Self; 5] = [
        Self::Urlencoded,
        Self::Multipart,
        Self::Json,
        Self::Xml,
        Self::Raw,
    ];

    /// The one of that name, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let is_named = |processor: &Self| {
            let its_name = processor.name().as_bytes();
            its_name.eq_ignore_ascii_case(name)
        };
        Self::ALL.into_iter().find(is_named)
    }

    /// Its name, as rules compare it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Urlencoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Raw => "RAW",
        }
    }

    /// The one that ModSecurity 2 chooses of itself: by how `Content-Type` begins, in any case. JSON
    /// and XML are chosen by rules (200000, 200001 and 200006 of the recommended configuration).
    #[must_use]
    pub fn of_content_type(content_type: &[u8]) -> Option<Self> {
        let begins_with = |media_type: &str| {
            let start = content_type.get(..media_type.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(media_type.as_bytes()))
        };
        if begins_with("application/x-www-form-urlencoded") {
            Some(Self::Urlencoded)
        } else if begins_with("multipart/form-data") {
            Some(Self::Multipart)
        } else {
            None
        }
    }

    /// Tells `sink` what the body holds.
    pub fn parse<S: Sink>(
        self,
        source: Source<'_>,
        limits: &Limits,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Outcome {
        let body = source.body;
        match self {
            Self::Urlencoded => form::parse(body, source.separator, limits, scratch, sink),
            Self::Multipart => multipart::parse(body, source.content_type, limits, scratch, sink),
            Self::Json => json::parse(body, limits, scratch, sink),
            Self::Xml => xml::parse(body, source.elements, limits, scratch, sink),
            Self::Raw => Outcome::of(body, Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_sink::{Found, TestSink};

    #[test]
    fn names() {
        let check = |name: &str, expected: Option<Processor>| {
            assert_eq!(Processor::named(name.as_bytes()), expected, "{name}");
        };
        for processor in Processor::ALL {
            check(processor.name(), Some(processor));
            check(&processor.name().to_lowercase(), Some(processor));
        }
        check("", None);
        check("JSONX", None);
    }

    #[test]
    fn content_types() {
        let check = |content_type: &str, expected: Option<Processor>| {
            let found = Processor::of_content_type(content_type.as_bytes());
            assert_eq!(found, expected, "{content_type}");
        };
        let urlencoded = Some(Processor::Urlencoded);
        check("application/x-www-form-urlencoded", urlencoded);
        check(
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            urlencoded,
        );
        check(
            "multipart/form-data; boundary=0000",
            Some(Processor::Multipart),
        );
        check("application/json", None);
        check("text/xml", None);
        check("multipart/mixed; boundary=0000", None);
        check("", None);
    }

    #[test]
    fn each_parses_its_own() {
        let check = |processor: Processor, bytes: &[u8], expected: &[Found]| {
            let source = Source {
                body: Body::whole(bytes),
                content_type: b"multipart/form-data; boundary=0000",
                separator: form::SEPARATOR,
                elements: Elements::Untold,
            };
            let mut sink = TestSink::default();
            let limits = Limits::default();
            let outcome = processor.parse(source, &limits, &mut Scratch::new(), &mut sink);
            assert_eq!(outcome.error, None, "{processor:?}");
            assert!(outcome.is_complete, "{processor:?}");
            assert_eq!(sink.found, expected, "{processor:?}");
        };
        let a = [Found::argument("a", "1")];
        check(Processor::Urlencoded, b"a=1", &a);
        check(Processor::Json, b"{\"a\":1}", &a);
        check(Processor::Xml, b"<a>1</a>", &[Found::Text("1".to_owned())]);
        check(Processor::Multipart, b"--0000--\r\n", &[]);
        check(Processor::Raw, b"--0000\r\n<\"", &[]);
    }
}
