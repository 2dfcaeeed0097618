//! `md5` (RFC 1321) and `sha1` (FIPS 180-4): the raw bytes, which rules then `hexEncode`.

use md5::Md5;
use sha1::{Digest, Sha1};

pub(super) fn md5(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.extend_from_slice(&Md5::digest(input));
    out != input
}

pub(super) fn sha1(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.extend_from_slice(&Sha1::digest(input));
    out != input
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{Md5, Sha1};
    use super::super::tests::check;

    #[test]
    fn the_examples_of_their_specifications() {
        check(
            Md5,
            b"abc",
            b"\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72",
        );
        check(
            Sha1,
            b"abc",
            b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d",
        );
    }
}
