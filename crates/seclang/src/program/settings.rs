//! What directives say beside rules.

use std::path::PathBuf;

use super::relevant_status::RelevantStatus;
use crate::syntax::{AuditMode, EngineMode, XmlArguments};

/// What directives say beside rules. The defaults are ModSecurity 2's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `SecRuleEngine`
    pub engine: EngineMode,
    /// Bodies of requests; their limit is 13,107,200 bytes by default.
    pub request_body: BodyAccess,
    /// `SecRequestBodyNoFilesLimit`, in bytes: 1,048,576 by default.
    pub request_body_no_files_limit: u64,
    /// `SecRequestBodyJsonDepthLimit`: 10,000 by default in ModSecurity 2, 512 here.
    pub json_depth_limit: u64,
    /// `SecParseXmlIntoArgs`: off by default.
    pub xml_arguments: XmlArguments,
    /// `SecArgumentsLimit`: 1,000 by default.
    pub arguments_limit: u64,
    /// `SecArgumentSeparator`
    pub argument_separator: u8,
    /// `SecUploadFileLimit`: 100 by default.
    pub upload_file_limit: u64,
    /// Bodies of answers; their limit is 524,288 bytes by default.
    pub response_body: BodyAccess,
    /// `SecResponseBodyMimeType`: in lower case.
    pub response_body_mime_types: Vec<Vec<u8>>,
    /// `SecComponentSignature`
    pub component_signatures: Vec<Vec<u8>>,
    /// `SecWebAppId`
    pub web_app_id: Vec<u8>,
    /// `SecCollectionTimeout`, in seconds: 3,600 by default.
    pub collection_timeout: u64,
    /// The audit log.
    pub audit: AuditSettings,
    /// The rule files that were read, in order.
    pub files: Vec<PathBuf>,
}

/// Whether bodies are looked at, and how much of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyAccess {
    /// `SecRequestBodyAccess`, `SecResponseBodyAccess`
    pub is_on: bool,
    /// Whether a rule file says so, or that it is not.
    pub is_said: bool,
    /// In bytes.
    pub limit: u64,
    /// Whether of a longer one the beginning is looked at; otherwise it is refused.
    pub is_partial_processed: bool,
}

/// What goes to the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// `SecAuditEngine`
    pub engine: AuditMode,
    /// `SecAuditLogParts`
    pub parts: Vec<u8>,
    /// `SecAuditLogRelevantStatus`
    pub relevant_status: Option<RelevantStatus>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineMode::Off,
            request_body: BodyAccess {
                is_on: false,
                is_said: false,
                limit: 13_107_200,
                is_partial_processed: false,
            },
            request_body_no_files_limit: 1_048_576,
            json_depth_limit: 512,
            xml_arguments: XmlArguments::Off,
            arguments_limit: 1_000,
            argument_separator: b'&',
            upload_file_limit: 100,
            response_body: BodyAccess {
                is_on: false,
                is_said: false,
                limit: 524_288,
                is_partial_processed: false,
            },
            response_body_mime_types: vec![b"text/plain".to_vec(), b"text/html".to_vec()],
            component_signatures: Vec::new(),
            web_app_id: b"default".to_vec(),
            collection_timeout: 3_600,
            audit: AuditSettings {
                engine: AuditMode::Off,
                parts: b"ABCFHZ".to_vec(),
                relevant_status: None,
            },
            files: Vec::new(),
        }
    }
}
