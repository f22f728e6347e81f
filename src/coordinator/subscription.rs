//! The one look into what members tell each other: which topics a consumer is subscribed to
//! (ConsumerProtocolSubscription.json).

use bytes::Bytes;

use crate::protocol::Reader;

/// The family of protocols that consumers speak.
pub const CONSUMER: &str = "consumer";

/// The topics; `None` if the metadata is not what consumers send.
pub fn topics(metadata: Bytes) -> Option<Vec<String>> {
    let mut reader = Reader::new(metadata);
    let _version = reader.i16().ok()?;
    // Later versions only add fields behind.
    let count = reader.array_length::<String>(false).ok()??;
    (0..count).map(|_| reader.string(false).ok()?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_found_in_any_version() {
        let two = [0, 1, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', 0xff, 0xff, 0xff, 0xff];
        assert_eq!(topics(Bytes::copy_from_slice(&two)), Some(vec!["a".to_owned(), "bc".to_owned()]));
        for cut in 0..11 {
            assert_eq!(topics(Bytes::copy_from_slice(&two[..cut])), None, "cut at {cut}");
        }
        assert_eq!(topics(Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff])), None);
    }
}
