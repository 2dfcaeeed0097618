//! Directives that set something.

use crate::program::{BodyAccess, Settings};
use crate::syntax::{Directive, XmlArguments};

/// What `OnlyArgs` leaves out.
pub(super) const ONLY_ARGUMENTS: &str =
    "with OnlyArgs no rule sees attributes, nor text beside elements: write On where they matter";

fn access(body: &mut BodyAccess, is_on: bool) {
    body.is_on = is_on;
    body.is_said = true;
}

/// Sets what a directive says; one that says something else is passed over. Returns what there is to warn
/// of.
pub(super) fn set(settings: &mut Settings, directive: Directive) -> Option<&'static str> {
    match directive {
        Directive::RuleEngine(mode) => settings.engine = mode,
        Directive::RequestBodyAccess(is_on) => access(&mut settings.request_body, is_on),
        Directive::ResponseBodyAccess(is_on) => access(&mut settings.response_body, is_on),
        Directive::RequestBodyLimit(limit) => settings.request_body.limit = limit,
        Directive::RequestBodyNoFilesLimit(limit) => settings.request_body_no_files_limit = limit,
        Directive::RequestBodyProcessPartial(is_partial) => {
            settings.request_body.is_partial_processed = is_partial;
        }
        Directive::JsonDepthLimit(limit) => settings.json_depth_limit = limit,
        Directive::ResponseBodyLimit(limit) => settings.response_body.limit = limit,
        Directive::ResponseBodyProcessPartial(is_partial) => {
            settings.response_body.is_partial_processed = is_partial;
        }
        Directive::ResponseBodyMimeTypes(types) => {
            let lower = types.iter().map(|one| one.to_ascii_lowercase());
            settings.response_body_mime_types.extend(lower);
        }
        Directive::ResponseBodyMimeTypesClear => settings.response_body_mime_types.clear(),
        Directive::XmlArguments(mode) => {
            settings.xml_arguments = mode;
            return (mode == XmlArguments::Only).then_some(ONLY_ARGUMENTS);
        }
        Directive::ArgumentsLimit(limit) => settings.arguments_limit = limit,
        Directive::ArgumentSeparator(separator) => settings.argument_separator = separator,
        Directive::UploadFileLimit(limit) => settings.upload_file_limit = limit,
        Directive::ComponentSignature(signature) => settings.component_signatures.push(signature),
        Directive::WebAppId(id) => settings.web_app_id = id,
        Directive::CollectionTimeout(seconds) => settings.collection_timeout = seconds,
        Directive::AuditEngine(mode) => settings.audit.engine = mode,
        Directive::AuditLogParts(parts) => settings.audit.parts = parts,
        _ => {}
    }
    None
}
