//! What the port answers for shards in every state.

use futures_util::future::join;
use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use tokio::sync::watch;

use super::routes::answer;
use super::thread::{Admin, Phase, View};
use crate::admin::collector::{Answer, Collector};
use crate::base::ids::PartitionId;
use crate::base::limits::ADMIN_SHARD_ANSWER_MS;
use crate::protocol::batch::{BatchBuilder, BatchHeader};
use crate::runtime::sim::{DiskFault, DiskOp, SimWorld};
use crate::runtime::tokio::{run_in_virtual_time, within};
use crate::shard::testing::{TestNode, answer_report, test_config};
use crate::shard::{Mailbox, ShardReport, mailbox};

use std::sync::Arc;
use std::time::Duration;

const RECORDS: u64 = 5;

/// Reports of two shards of which one has a partition with [`RECORDS`] records, and perhaps a disk that failed at the
/// last of them. Not to be called inside of a Tokio runtime, which would take the simulation's wakes for its own.
fn reports(fails: bool) -> Vec<ShardReport> {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    let reports = world.block_on(async {
        let node = TestNode::start(&runtime, "/data".into(), test_config(2, &[])).await;
        let id = PartitionId { topic: node.create_topic("t").await, index: 0 };
        for number in 0..RECORDS {
            if fails && number == RECORDS - 1 {
                world.fail(DiskOp::Write, 1, DiskFault::Io);
            }
            let batch = BatchBuilder::new().record(0, None, Some(b"x")).build();
            let header = BatchHeader::parse(&batch).expect("our own");
            // Asked at the first shard, whoever owns it.
            let appended = node.shards[0].append(id, &header, batch.into()).await.await;
            assert_eq!(appended.is_err(), fails && number == RECORDS - 1);
        }
        node.shards.iter().map(|shard| shard.report()).collect()
    });
    reports.expect("nothing crashes")
}

/// A port for two shards, and their mailboxes.
fn port(phase: Phase) -> (Admin, watch::Sender<View>, Vec<Mailbox>) {
    let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| mailbox()).unzip();
    let (views, view) =
        watch::channel(View { phase, shards: Arc::new(Collector::new(senders)), complaint: None });
    (Admin { memory_bytes: 1 << 30, started_ms: 1_500, view }, views, mailboxes)
}

async fn get(admin: &Admin, path: &str) -> (StatusCode, String) {
    let response = answer(admin, &Method::GET, path).await;
    let status = response.status();
    let body = response.into_body().collect().await.expect("it is there").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

/// The same while the shards answer once.
async fn get_answered(
    admin: &Admin,
    path: &str,
    mailboxes: &mut [Mailbox],
    reports: &[ShardReport],
) -> (StatusCode, String) {
    let [first, second] = mailboxes else { panic!("two shards") };
    let answers = join(answer_report(first, reports[0].clone()), answer_report(second, reports[1].clone()));
    join(get(admin, path), answers).await.0
}

/// The sum of a metric over all lines that begin so.
fn sum(metrics: &str, beginning: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(beginning));
    lines.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")).sum()
}

#[test]
fn metrics_are_as_prometheus_reads_them() {
    let reports = reports(false);
    run_in_virtual_time(async {
        let (admin, _views, mut mailboxes) = port(Phase::Serving);
        let (status, text) = get_answered(&admin, "/metrics", &mut mailboxes, &reports).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.ends_with("# EOF\n"), "{text}");
        for line in [
            "# TYPE corelane_stage_seconds histogram",
            "# UNIT corelane_stage_seconds seconds",
            "# TYPE corelane_appended_records counter",
            "corelane_shard_up{shard=\"1\"} 1.0",
            "corelane_writer_up{shard=\"0\"} 1.0",
            "corelane_memory_limit_bytes 1073741824.0",
            "process_start_time_seconds 1.5",
            concat!("corelane_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert_eq!(sum(&text, "corelane_appended_records_total"), RECORDS as f64);
        let groups = sum(&text, "corelane_journal_group_bytes_count");
        assert_eq!(sum(&text, "corelane_stage_seconds_count{shard=\"0\",stage=\"journal\"}"), {
            groups - sum(&text, "corelane_stage_seconds_count{shard=\"1\",stage=\"journal\"}")
        });
        assert!(groups >= 1.0 && sum(&text, "corelane_disk_bytes_total{") > 0.0, "{text}");
        assert_eq!(sum(&text, "corelane_disk_errors_total"), 0.0);
        assert!(
            text.contains("corelane_disk_oldest_operation_seconds{shard=\"0\",operation=\"sync\"} "),
            "{text}"
        );
        buckets_add_up(&text);
    });
}

/// Every histogram's buckets grow towards its count.
fn buckets_add_up(text: &str) {
    let mut last = 0.0;
    let mut seen = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number");
        if !line.contains("_bucket{") {
            last = 0.0;
            continue;
        }
        assert!(value >= last, "{line}");
        last = value;
        if line.contains("le=\"+Inf\"") {
            seen += 1;
            let labels = line.split(['{', '}']).nth(1).expect("labels").replace("le=\"+Inf\",", "");
            let stem = line.split("_bucket{").next().expect("a name");
            assert_eq!(sum(text, &format!("{stem}_count{{{labels}}}")), value, "{line}");
            last = 0.0;
        }
    }
    assert!(seen > 10, "{seen} histograms");
}

#[test]
fn what_is_amiss_besides_the_shards_is_told() {
    let well = reports(false);
    run_in_virtual_time(async {
        let (admin, views, mut mailboxes) = port(Phase::Serving);
        for (complaint, status) in [
            (None, StatusCode::OK),
            (Some("control stands still".to_owned()), StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let told = complaint.clone();
            views.send_modify(|view| view.complaint = Some(Arc::new(move || told.clone())));
            let (found, text) = get_answered(&admin, "/healthz", &mut mailboxes, &well).await;
            assert_eq!(found, status, "{text}");
            assert!(complaint.is_none_or(|complaint| text.contains(&complaint)), "{text}");
            // Clients are served all the same.
            let (ready, text) = get_answered(&admin, "/readyz", &mut mailboxes, &well).await;
            assert_eq!(ready, StatusCode::OK, "{text}");
        }
    });
}

#[test]
fn a_failed_writer_is_red_with_its_reason() {
    let (well, failed) = (reports(false), reports(true));
    run_in_virtual_time(async {
        let (admin, _views, mut mailboxes) = port(Phase::Serving);
        let answered = get_answered(&admin, "/healthz", &mut mailboxes, &well).await;
        assert_eq!(answered, (StatusCode::OK, "ok\n".to_owned()));
        let (status, text) = get_answered(&admin, "/healthz", &mut mailboxes, &failed).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text.lines().count(), 1, "one of them: {text}");
        assert!(text.contains(": its writer is out of service: ") && text.contains("journal"), "{text}");
        let (_, text) = get_answered(&admin, "/metrics", &mut mailboxes, &failed).await;
        assert_eq!(sum(&text, "corelane_writer_up"), 1.0);
        assert_eq!(sum(&text, "corelane_disk_errors_total"), 1.0);
        assert_eq!(
            sum(&text, "corelane_appended_records_total"),
            RECORDS as f64,
            "appended, not acknowledged"
        );
    });
}

#[test]
fn a_failed_writer_makes_the_node_unready_and_damage_does_not() {
    let (well, failed) = (reports(false), reports(true));
    run_in_virtual_time(async {
        let (admin, _views, mut mailboxes) = port(Phase::Serving);
        let (status, text) = get_answered(&admin, "/readyz", &mut mailboxes, &failed).await;
        assert_eq!((status, text.lines().count()), (StatusCode::SERVICE_UNAVAILABLE, 1), "{text}");
        assert!(text.contains(": its writer is out of service: "), "{text}");
        let full = Some(Arc::from("the disk is nearly full"));
        let harmed = well.iter().cloned().map(|report| ShardReport {
            damage: vec!["partition t-0 is damaged".to_owned()],
            disk_full: full.clone(),
            stall: Some(Arc::from("the disk does not answer")),
            ..report
        });
        let harmed: Vec<_> = harmed.collect();
        let (status, _) = get_answered(&admin, "/readyz", &mut mailboxes, &harmed).await;
        assert_eq!(status, StatusCode::OK);
        let (status, text) = get_answered(&admin, "/healthz", &mut mailboxes, &harmed).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let lines = [
            "shard 0: the disk does not answer",
            "shard 0: partition t-0 is damaged",
            "shard 1: the disk does not answer",
            "shard 1: partition t-0 is damaged",
            "the disk is nearly full",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines, "one disk, and each shard's partitions");
        let (_, text) = get_answered(&admin, "/metrics", &mut mailboxes, &harmed).await;
        assert_eq!(sum(&text, "corelane_disk_full"), 2.0);
    });
}

#[test]
fn a_shard_that_does_not_answer_holds_nobody_up_for_long() {
    let report = reports(false).swap_remove(0);
    run_in_virtual_time(async {
        let (admin, _views, mut mailboxes) = port(Phase::Serving);
        let answering = answer_report(&mut mailboxes[0], report.clone());
        let limit = Duration::from_millis(2 * ADMIN_SHARD_ANSWER_MS);
        let ((status, text), ()) =
            within(limit, join(get(&admin, "/healthz"), answering)).await.expect("in time");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "shard 1: it does not answer\n");
        // Many at the same time are one question, or two for those that came when it had been asked.
        let scrapes = futures_util::future::join_all((0..10).map(|_| get(&admin, "/metrics")));
        let answering = async {
            for _ in 0..2 {
                answer_report(&mut mailboxes[0], report.clone()).await;
            }
        };
        let asked = within(2 * limit, futures_util::future::select(Box::pin(scrapes), Box::pin(answering)));
        let answers = match asked.await.expect("in time") {
            futures_util::future::Either::Left((answers, _)) => answers,
            futures_util::future::Either::Right(((), scrapes)) => {
                within(limit, scrapes).await.expect("in time")
            }
        };
        for (status, text) in answers {
            assert_eq!(status, StatusCode::OK);
            assert_eq!(sum(&text, "corelane_shard_up"), 1.0, "{text}");
            assert!(!text.contains("corelane_writer_up{shard=\"1\"}"), "nothing is made up");
        }
    });
}

#[test]
fn phases_and_what_is_not_there() {
    run_in_virtual_time(async {
        for (phase, status) in [
            (Phase::Starting, StatusCode::SERVICE_UNAVAILABLE),
            (Phase::Serving, StatusCode::OK),
            (Phase::Stopping, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let (admin, _views, mailboxes) = port(phase);
            assert_eq!(get(&admin, "/readyz").await.0, status);
            drop(mailboxes);
            assert_eq!(get(&admin, "/healthz").await.0, StatusCode::OK, "a shard that has stopped is well");
            let (status, text) = get(&admin, "/metrics").await;
            assert_eq!((status, sum(&text, "corelane_shard_up")), (StatusCode::OK, 0.0));
        }
        let (admin, _views, _mailboxes) = port(Phase::Serving);
        let (status, text) = get(&admin, "/metric").await;
        assert!(status == StatusCode::NOT_FOUND && text.contains("/metrics"), "{text}");
        let refused = answer(&admin, &Method::POST, "/metrics").await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    });
}

#[test]
fn an_answer_is_as_new_as_its_question() {
    let report = reports(false).swap_remove(0);
    run_in_virtual_time(async {
        let (sender, mut mailbox) = mailbox();
        let collector = Collector::new(vec![sender]);
        for partitions in 1..4 {
            let now = ShardReport { partitions, ..report.clone() };
            let (answers, ()) = join(collector.collect(), answer_report(&mut mailbox, now)).await;
            let Answer::Report(found) = &answers[0] else { panic!("it answered") };
            assert_eq!(found.partitions, partitions);
        }
    });
}
