//! Directives that set something.

use super::absent;
use super::ctl::{audit_mode, count, engine_mode, id_ranges, on_or_off, xml_arguments};
use super::directive::Directive;
use super::targets::Wrong;

/// Which argument is wrong, and why.
type WrongArgument = (usize, String);

/// The directive of that name, in lower case, with its arguments; nothing where there is none.
pub(super) fn setting(
    lower: &[u8],
    arguments: &[&[u8]],
) -> Result<Option<Directive>, WrongArgument> {
    if let Some(absent) = absent::directive(lower) {
        let value = arguments.first().copied().unwrap_or_default();
        absent.judge(value).map_err(|message| (0, message))?;
        let (name, why) = (absent.name, absent.why);
        return Ok(Some(Directive::Ignored { name, why }));
    }
    match lower {
        b"secresponsebodymimetype" => return several(arguments).map(Some),
        b"secresponsebodymimetypesclear" => {
            return Ok(Some(Directive::ResponseBodyMimeTypesClear));
        }
        b"secunicodemapfile" => return unicode_map(arguments).map(Some),
        b"secruleremovebyid" => {
            let ids = arguments.join(&b' ');
            let ranges = id_ranges(&ids, 0).map_err(of(0))?;
            return Ok(Some(Directive::RemoveById(ranges)));
        }
        _ => {}
    }
    let one = || match arguments {
        [one] => Ok(*one),
        _ => Err((
            0,
            format!("got {} arguments; expected one", arguments.len()),
        )),
    };
    if let Some(make) = limit(lower) {
        return count(one()?, 0).map(make).map(Some).map_err(of(0));
    }
    single(lower, one)
}

fn of(argument: usize) -> impl Fn(Wrong) -> WrongArgument {
    move |wrong| (argument, wrong.message)
}

/// Directives whose one argument is a number.
fn limit(lower: &[u8]) -> Option<fn(u64) -> Directive> {
    Some(match lower {
        b"secrequestbodylimit" => Directive::RequestBodyLimit,
        b"secrequestbodynofileslimit" => Directive::RequestBodyNoFilesLimit,
        b"secrequestbodyjsondepthlimit" => Directive::JsonDepthLimit,
        b"secresponsebodylimit" => Directive::ResponseBodyLimit,
        b"secargumentslimit" => Directive::ArgumentsLimit,
        b"secuploadfilelimit" => Directive::UploadFileLimit,
        b"seccollectiontimeout" => Directive::CollectionTimeout,
        _ => return None,
    })
}

/// Directives with one argument of another kind.
fn single<'a>(
    lower: &[u8],
    one: impl Fn() -> Result<&'a [u8], WrongArgument>,
) -> Result<Option<Directive>, WrongArgument> {
    let partial = |value: &[u8]| match value.to_ascii_lowercase().as_slice() {
        b"processpartial" => Ok(true),
        b"reject" => Ok(false),
        _ => Err((0, "expected ProcessPartial or Reject".to_owned())),
    };
    Ok(Some(match lower {
        b"secruleengine" => Directive::RuleEngine(engine_mode(one()?, 0).map_err(of(0))?),
        b"secrequestbodyaccess" => {
            Directive::RequestBodyAccess(on_or_off(one()?, 0).map_err(of(0))?)
        }
        b"secresponsebodyaccess" => {
            Directive::ResponseBodyAccess(on_or_off(one()?, 0).map_err(of(0))?)
        }
        b"secrequestbodylimitaction" => Directive::RequestBodyProcessPartial(partial(one()?)?),
        b"secresponsebodylimitaction" => Directive::ResponseBodyProcessPartial(partial(one()?)?),
        b"secparsexmlintoargs" => Directive::XmlArguments(xml_arguments(one()?, 0).map_err(of(0))?),
        b"secauditengine" => Directive::AuditEngine(audit_mode(one()?, 0).map_err(of(0))?),
        b"secauditlogparts" => Directive::AuditLogParts(one()?.to_vec()),
        b"secauditlogrelevantstatus" => Directive::AuditRelevantStatus(one()?.to_vec()),
        b"seccomponentsignature" => Directive::ComponentSignature(one()?.to_vec()),
        b"secwebappid" => Directive::WebAppId(one()?.to_vec()),
        b"secmarker" => Directive::Marker(one()?.to_vec()),
        b"include" => Directive::Include(one()?.to_vec()),
        b"includeoptional" => Directive::IncludeOptional(one()?.to_vec()),
        b"secruleremovebytag" => Directive::RemoveByTag(one()?.to_vec()),
        b"secruleremovebymsg" => Directive::RemoveByMessage(one()?.to_vec()),
        b"secargumentseparator" => match one()? {
            [separator] => Directive::ArgumentSeparator(*separator),
            _ => return Err((0, "expected one character, like &".to_owned())),
        },
        _ => return Ok(None),
    }))
}

fn several(arguments: &[&[u8]]) -> Result<Directive, WrongArgument> {
    match arguments {
        [] => Err((0, "expected types, like text/html".to_owned())),
        types => {
            let types = types.iter().map(|name| name.to_vec()).collect();
            Ok(Directive::ResponseBodyMimeTypes(types))
        }
    }
}

fn unicode_map(arguments: &[&[u8]]) -> Result<Directive, WrongArgument> {
    let [file, code_page] = arguments else {
        return Err((
            0,
            "expected a file and a code page, like unicode.mapping 20127".to_owned(),
        ));
    };
    let digits = std::str::from_utf8(code_page).ok();
    let code_page = digits.and_then(|digits| digits.parse().ok());
    match code_page {
        Some(code_page) => Ok(Directive::UnicodeMap {
            file: file.to_vec(),
            code_page,
        }),
        None => Err((
            1,
            "expected the number of a code page, like 20127".to_owned(),
        )),
    }
}
