//! The names of variables.

/// Makes the enumeration, and the names with whether each is a collection.
macro_rules! variables {
    ($($variant:ident $name:literal $kind:ident $doc:literal;)*) => {
        /// A variable of ModSecurity's reference manual, without its selector.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum VariableName {
            $(#[doc = $doc] $variant,)*
        }

        impl VariableName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, in upper case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether it has members, which a selector chooses from.
            #[must_use]
            pub const fn is_collection(self) -> bool {
                match self { $(Self::$variant => variables!(@ $kind),)* }
            }
        }
    };
    (@ one) => { false };
    (@ many) => { true };
}

variables! {
    Args "ARGS" many "Arguments of query and body.";
    ArgsCombinedSize "ARGS_COMBINED_SIZE" one "Bytes of all arguments, names included.";
    ArgsGet "ARGS_GET" many "Arguments of the query.";
    ArgsGetNames "ARGS_GET_NAMES" many "Their names.";
    ArgsNames "ARGS_NAMES" many "Names of all arguments.";
    ArgsPost "ARGS_POST" many "Arguments of the body.";
    ArgsPostNames "ARGS_POST_NAMES" many "Their names.";
    AuthType "AUTH_TYPE" one "The scheme of `Authorization`.";
    Duration "DURATION" one "Microseconds since the transaction began.";
    Env "ENV" many "Variables that rules have set with `setenv`.";
    Files "FILES" many "File names of uploaded files, by field.";
    FilesCombinedSize "FILES_COMBINED_SIZE" one "Bytes of all uploaded files.";
    FilesNames "FILES_NAMES" many "Names of the fields that files were uploaded in.";
    FilesSizes "FILES_SIZES" many "Bytes of each uploaded file.";
    FullRequest "FULL_REQUEST" one "Request line, headers and body.";
    FullRequestLength "FULL_REQUEST_LENGTH" one "Its bytes.";
    Geo "GEO" many "What `@geoLookup` found.";
    Global "GLOBAL" many "A collection that `initcol` opens.";
    HighestSeverity "HIGHEST_SEVERITY" one "The severest severity of rules that matched; 255 for none.";
    InboundDataError "INBOUND_DATA_ERROR" one "1 where the body was over its limit.";
    Ip "IP" many "A collection that `initcol` opens.";
    MatchedVar "MATCHED_VAR" one "The value that matched last.";
    MatchedVarName "MATCHED_VAR_NAME" one "Its name.";
    MatchedVars "MATCHED_VARS" many "The values that the rule before matched.";
    MatchedVarsNames "MATCHED_VARS_NAMES" many "Their names.";
    ModsecBuild "MODSEC_BUILD" one "The version, as a number.";
    MultipartBoundaryQuoted "MULTIPART_BOUNDARY_QUOTED" one "A flag of multipart bodies.";
    MultipartBoundaryWhitespace "MULTIPART_BOUNDARY_WHITESPACE" one "A flag of multipart bodies.";
    MultipartCrlfLfLines "MULTIPART_CRLF_LF_LINES" one "A flag of multipart bodies.";
    MultipartDataAfter "MULTIPART_DATA_AFTER" one "A flag of multipart bodies.";
    MultipartDataBefore "MULTIPART_DATA_BEFORE" one "A flag of multipart bodies.";
    MultipartFileLimitExceeded "MULTIPART_FILE_LIMIT_EXCEEDED" one "A flag of multipart bodies.";
    MultipartFilename "MULTIPART_FILENAME" many "The same as `FILES`.";
    MultipartHeaderFolding "MULTIPART_HEADER_FOLDING" one "A flag of multipart bodies.";
    MultipartInvalidHeaderFolding "MULTIPART_INVALID_HEADER_FOLDING" one "A flag of multipart bodies.";
    MultipartInvalidPart "MULTIPART_INVALID_PART" one "A flag of multipart bodies.";
    MultipartInvalidQuoting "MULTIPART_INVALID_QUOTING" one "A flag of multipart bodies.";
    MultipartLfLine "MULTIPART_LF_LINE" one "A flag of multipart bodies.";
    MultipartMissingSemicolon "MULTIPART_MISSING_SEMICOLON" one "A flag of multipart bodies.";
    MultipartName "MULTIPART_NAME" many "Names of the fields that files were uploaded in.";
    MultipartPartHeaders "MULTIPART_PART_HEADERS" many "Header lines of parts, by part.";
    MultipartSemicolonMissing "MULTIPART_SEMICOLON_MISSING" one "The same as `MULTIPART_MISSING_SEMICOLON`.";
    MultipartStrictError "MULTIPART_STRICT_ERROR" one "1 where any of the flags that tell of evasions is.";
    MultipartUnmatchedBoundary "MULTIPART_UNMATCHED_BOUNDARY" one "A flag of multipart bodies.";
    OutboundDataError "OUTBOUND_DATA_ERROR" one "1 where the answer was over its limit.";
    PathInfo "PATH_INFO" one "What follows a script's name in the path; always empty here.";
    QueryString "QUERY_STRING" one "The query, as it was sent.";
    RemoteAddr "REMOTE_ADDR" one "The client's address.";
    RemoteHost "REMOTE_HOST" one "The same: names are not looked up.";
    RemotePort "REMOTE_PORT" one "The client's port.";
    RemoteUser "REMOTE_USER" one "The user that Basic authentication names.";
    ReqbodyError "REQBODY_ERROR" one "1 where the body can't be parsed.";
    ReqbodyErrorMsg "REQBODY_ERROR_MSG" one "Why.";
    ReqbodyProcessor "REQBODY_PROCESSOR" one "What parses the body.";
    ReqbodyProcessorError "REQBODY_PROCESSOR_ERROR" one "The same as `REQBODY_ERROR`.";
    ReqbodyProcessorErrorMsg "REQBODY_PROCESSOR_ERROR_MSG" one "The same as `REQBODY_ERROR_MSG`.";
    RequestBasename "REQUEST_BASENAME" one "What follows the last slash or backslash of the path.";
    RequestBody "REQUEST_BODY" one "The body, of forms and where it is forced.";
    RequestBodyLength "REQUEST_BODY_LENGTH" one "Its bytes.";
    RequestCookies "REQUEST_COOKIES" many "Cookies.";
    RequestCookiesNames "REQUEST_COOKIES_NAMES" many "Their names.";
    RequestFilename "REQUEST_FILENAME" one "The path, as it was sent.";
    RequestHeaders "REQUEST_HEADERS" many "Header fields.";
    RequestHeadersNames "REQUEST_HEADERS_NAMES" many "Their names.";
    RequestLine "REQUEST_LINE" one "The request line, as it was sent.";
    RequestMethod "REQUEST_METHOD" one "The method.";
    RequestProtocol "REQUEST_PROTOCOL" one "The version, as `HTTP/1.1`.";
    RequestUri "REQUEST_URI" one "Path and query, as they were sent.";
    RequestUriRaw "REQUEST_URI_RAW" one "The target, as it was sent.";
    Resource "RESOURCE" many "A collection that `setrsc` opens.";
    ResponseBody "RESPONSE_BODY" one "The answer's body.";
    ResponseContentLength "RESPONSE_CONTENT_LENGTH" one "Its bytes.";
    ResponseContentType "RESPONSE_CONTENT_TYPE" one "Its type.";
    ResponseHeaders "RESPONSE_HEADERS" many "The answer's header fields.";
    ResponseHeadersNames "RESPONSE_HEADERS_NAMES" many "Their names.";
    ResponseProtocol "RESPONSE_PROTOCOL" one "The answer's version.";
    ResponseStatus "RESPONSE_STATUS" one "The answer's status.";
    Rule "RULE" many "What the rule says of itself: id, msg, severity, ...";
    ServerAddr "SERVER_ADDR" one "The address that the client connected to.";
    ServerName "SERVER_NAME" one "The host that the client asks for.";
    ServerPort "SERVER_PORT" one "The port that the client connected to.";
    Session "SESSION" many "A collection that `setsid` opens.";
    SessionId "SESSIONID" one "What `setsid` was given.";
    StatusLine "STATUS_LINE" one "The answer's status line.";
    Time "TIME" one "The time of day, `hh:mm:ss`.";
    TimeDay "TIME_DAY" one "The day of the month.";
    TimeEpoch "TIME_EPOCH" one "Seconds since 1970.";
    TimeHour "TIME_HOUR" one "The hour.";
    TimeMin "TIME_MIN" one "The minute.";
    TimeMon "TIME_MON" one "The month, from 0.";
    TimeSec "TIME_SEC" one "The second.";
    TimeWday "TIME_WDAY" one "The day of the week, from 0 for Sunday.";
    TimeYear "TIME_YEAR" one "The year.";
    Tx "TX" many "Variables of the transaction.";
    UniqueId "UNIQUE_ID" one "The request's id.";
    UrlencodedError "URLENCODED_ERROR" one "1 where an escape of an argument is malformed.";
    User "USER" many "A collection that `setuid` opens.";
    UserId "USERID" one "What `setuid` was given.";
    WebAppId "WEBAPPID" one "`SecWebAppId`.";
    Xml "XML" many "An XML body: `/*` for its text, `//@*` for its attributes.";
}

/// Variables of ModSecurity that can't be had here, and why.
pub(super) const UNAVAILABLE: &[(&str, &str)] = &[
    ("FILES_TMPNAMES", "uploads are not written to files"),
    ("FILES_TMP_CONTENT", "uploads are not written to files"),
    (
        "USERAGENT_IP",
        "use REMOTE_ADDR: it is the client's address, behind proxies too",
    ),
    ("SCRIPT_BASENAME", "a proxy runs no scripts"),
    ("SCRIPT_FILENAME", "a proxy runs no scripts"),
    ("SCRIPT_GID", "a proxy runs no scripts"),
    ("SCRIPT_GROUPNAME", "a proxy runs no scripts"),
    ("SCRIPT_MODE", "a proxy runs no scripts"),
    ("SCRIPT_UID", "a proxy runs no scripts"),
    ("SCRIPT_USERNAME", "a proxy runs no scripts"),
    (
        "PERF_ALL",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_COMBINED",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_GC",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_LOGGING",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_PHASE1",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_PHASE2",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_PHASE3",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_PHASE4",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_PHASE5",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_RULES",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_SREAD",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    (
        "PERF_SWRITE",
        "`palisade waf check` and the metrics tell what rules cost",
    ),
    ("REMOTE_IDENT", "RFC 1413 is not spoken"),
    ("SDBM_DELETE_ERROR", "there is no SDBM"),
    (
        "STREAM_INPUT_BODY",
        "use REQUEST_BODY, with ctl:forceRequestBodyVariable=On where it is no form",
    ),
    ("STREAM_OUTPUT_BODY", "use RESPONSE_BODY"),
];

impl VariableName {
    /// The variable of that name; upper or lower case is the same.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let is_it = |variable: &&Self| variable.as_str().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.iter().find(is_it).copied()
    }
}
