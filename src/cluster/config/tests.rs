use super::*;
use crate::base::ids::TopicId;
use crate::base::limits::INDEX_INTERVAL_BYTES;
use crate::cluster::TopicRecord;

#[test]
fn topics_acknowledge_from_memory_only_on_purpose_and_where_the_broker_allows_it() {
    const NEVER: &str = "9223372036854775807";
    let strict = TopicDefaults::default();
    let lax = TopicDefaults { memory_acknowledgement: true, ..TopicDefaults::default() };
    for (configs, wished) in [
        (&[][..], None),
        (&[("flush.messages", "1")], None),
        (&[("flush.ms", "0")], None),
        (&[("flush.messages", "1000")], Some(1000)),
        (&[("flush.messages", NEVER)], Some(i64::MAX)),
        (&[("flush.ms", "2")], Some(i64::MAX)),
        (&[("flush.messages", "1000"), ("flush.ms", "1")], None),
        (&[("flush.messages", "1"), ("flush.ms", NEVER)], None),
    ] {
        let set: Configs =
            configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(topic_settings(&set, &lax).unsynced_records_max, wished, "{configs:?}");
        assert_eq!(topic_settings(&set, &strict).unsynced_records_max, None, "{configs:?}");

        let given: Vec<_> =
            configs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        assert!(validate_configs(&given, &lax).is_ok(), "{configs:?}");
        let says_what_is_done = configs.iter().all(|(_, value)| ["0", "1", NEVER].contains(value));
        assert_eq!(validate_configs(&given, &strict).is_ok(), says_what_is_done, "{configs:?}");
    }
    let asked = [("flush.messages".to_owned(), Some("10".to_owned()))];
    let reason = validate_configs(&asked, &strict).unwrap_err().to_string();
    assert!(reason.contains("memory.acknowledgement.enable"), "{reason}");
    let nonsense = [("flush.messages".to_owned(), Some("0".to_owned()))];
    assert!(validate_configs(&nonsense, &lax).is_err(), "as in Kafka");

    let configs = Configs::from([("flush.messages".to_owned(), "10".to_owned())]);
    let mut topic =
        TopicRecord { id: TopicId::ZERO, name: "t".to_owned(), internal: false, configs, created_ms: 0 };
    assert_eq!(settings_of(&topic, &lax).unsynced_records_max, Some(10));
    topic.internal = true;
    assert_eq!(settings_of(&topic, &lax).unsynced_records_max, None);
}

#[test]
fn the_interval_of_index_entries_is_the_one_that_there_is() {
    let defaults = TopicDefaults::default();
    let configs = effective_configs(&Configs::default(), &defaults);
    let told = configs.iter().find(|config| config.name == "index.interval.bytes").expect("known");
    assert_eq!(told.value, INDEX_INTERVAL_BYTES.to_string());
    let given = |bytes: u64| vec![("index.interval.bytes".to_owned(), Some(bytes.to_string()))];
    assert!(validate_configs(&given(INDEX_INTERVAL_BYTES), &defaults).is_ok());
    assert!(validate_configs(&given(4096), &defaults).is_err(), "Kafka's default");
}
