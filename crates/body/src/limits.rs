//! How much of a body there may be of everything.

/// How much of a body there may be of everything. The defaults are those of ModSecurity's
/// recommended configuration, or of ModSecurity 2 itself, where they have the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arguments of a body; one more is an error (`SecArgumentsLimit`, 1,000).
    pub arguments: usize,
    /// How deep JSON may nest, an outermost object not counted
    /// (`SecRequestBodyJsonDepthLimit`, 512).
    pub json_depth: usize,
    /// Bytes of the names of a JSON body's arguments together (1 MiB). A name repeats the keys
    /// around it, so without this a small body could have huge names.
    pub json_names_bytes: usize,
    /// Bytes of the names of an XML document's arguments together (1 MiB), for the same reason.
    pub xml_names_bytes: usize,
    /// How deep the elements of an XML document may nest (256, as in libxml2).
    pub xml_depth: usize,
    /// Attributes of an XML document (10,000).
    pub xml_attributes: usize,
    /// Files of a multipart body; more of them are told of and set
    /// [`FILE_LIMIT_EXCEEDED`](crate::MultipartFlags::FILE_LIMIT_EXCEEDED) (`SecUploadFileLimit`,
    /// 100).
    pub upload_files: usize,
    /// Parts of a multipart body, files included; one more is an error (2,000).
    pub parts: usize,
    /// Content codings of one body (2).
    pub content_codings: usize,
    /// Bytes of a body once decoded (`SecRequestBodyLimit`, 13,107,200).
    pub decoded_bytes: usize,
    /// How many times the bytes that were sent a body may have once decoded (200, as in Apache's
    /// mod_deflate). The first 64 KiB are free: short bodies compress well.
    pub decoded_ratio: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            arguments: 1_000,
            json_depth: 512,
            json_names_bytes: 1024 * 1024,
            xml_names_bytes: 1024 * 1024,
            xml_depth: 256,
            xml_attributes: 10_000,
            upload_files: 100,
            parts: 2_000,
            content_codings: 2,
            decoded_bytes: 13_107_200,
            decoded_ratio: 200,
        }
    }
}
