//! Every bound in one place: its default, the configuration key that moves it (if any) and what happens when
//! it is reached. Bounds that must agree are checked against each other at compile time.

/// The unit of direct I/O: alignment of memory, file positions and lengths. Never configurable: it is part of
/// the formats on disk.
pub const BLOCK_BYTES: usize = 4096;

/// Journal writes outstanding at once. Two keep the disk busy while replies go out; more only pay for large
/// frames. When reached, the open group goes on filling.
pub const GROUPS_IN_FLIGHT_MAX: usize = 2;

/// Journal files kept free for entries that make room (carried remainders). When only these are left, produce
/// waits.
pub const JOURNAL_RESERVED_FILES: u64 = 1;

/// Length of one write when a journal file is made.
pub const JOURNAL_ZERO_WRITE_BYTES: usize = 1 << 20;
const _: () = assert!(JOURNAL_ZERO_WRITE_BYTES.is_multiple_of(BLOCK_BYTES));

/// Length of one read when the journal is read back.
pub const JOURNAL_READ_BYTES: usize = 1 << 20;

/// Journal space that only recoveries may use: 16 start groups. When even these are used up (as many crashes
/// in a row, each before the next checkpoint, in a full journal), the shard refuses to start.
pub const START_GROUPS_BYTES: u64 = 16 * BLOCK_BYTES as u64;

/// Distance between two entries of a segment's sparse index. Smaller finds positions more exactly and takes
/// more memory: 32 bytes an entry.
pub const INDEX_INTERVAL_BYTES: u64 = 32 << 10;

/// The largest piece of memory for a partition's tail, and so the longest write-back: longer writes block the
/// journal's in the device.
pub const CHUNK_BYTES_MAX: usize = 128 << 10;
const _: () = assert!(CHUNK_BYTES_MAX.is_multiple_of(BLOCK_BYTES) && CHUNK_BYTES_MAX.is_power_of_two());

/// `journal.bypass.bytes` by default: a batch of this length or more is written to its segment at once, and the journal
/// gets no more than its header and its last bytes. Two waits for the disk instead of one, and half of the bytes: a busy
/// broker gains from 128 KiB on, but a lone producer of such batches loses half of its throughput (benches/RESULTS.md).
pub const EXTENT_BYTES_DEFAULT: u64 = 256 << 10;
/// The same at least.
pub const EXTENT_BYTES_MIN: u64 = 16 << 10;
const _: () = assert!(EXTENT_BYTES_MIN >= 2 * BLOCK_BYTES as u64, "the last bytes are the batch's own");

/// Bytes of earlier batches that are written to the segment along with a long one, so that the segment has no holes.
/// Reached: the batch goes through the journal.
pub const EXTENT_BACKLOG_BYTES_MAX: u64 = 1 << 20;

/// Batches of a shard that are written to their segments at once. Further ones wait: what is in the device's queue,
/// the journal's writes wait for.
pub const EXTENTS_IN_FLIGHT_MAX: usize = 4;

/// Writes of one such batch that are on their way at once, each of at most [`CHUNK_BYTES_MAX`].
pub const EXTENT_WRITES_AT_ONCE: usize = 8;

/// The smallest step in which a segment file is given space; a partition with little data takes this much.
pub const SEGMENT_ALLOCATION_BYTES_MIN: u64 = 64 << 10;

/// The largest step in which a segment file is given space.
pub const SEGMENT_ALLOCATION_BYTES_MAX: u64 = 16 << 20;

/// Length of one read or write of a checkpoint: no longer than a write-back, for the same reason.
pub const CHECKPOINT_IO_BYTES: usize = CHUNK_BYTES_MAX;

/// The shortest read from a segment: shorter ones cost almost as much time.
pub const COLD_READ_BYTES_MIN: usize = 128 << 10;

/// The longest read from a segment, but for a longer batch: a reader that goes on and on gets longer ones.
pub const COLD_READ_BYTES_MAX: usize = 512 << 10;
const _: () = assert!(COLD_READ_BYTES_MIN <= COLD_READ_BYTES_MAX);

/// The share of the memory for clean partition tails that batches read from disk may take instead. Reached: the one
/// that was not read for longest is dropped, and its next reader goes to the disk. Half of it may be reads under way;
/// further ones wait.
pub const COLD_CACHE_PERCENT: u64 = 25;

/// Segment files that a shard may always keep open. When reached, the one opened first is closed.
pub const OPEN_SEGMENTS_MIN: usize = 768;

/// The same where the process's limit of open files leaves as many: opening a file again takes a thread's turn and a
/// sync of its directory, so a shard should keep that of each partition that is written to.
pub const OPEN_SEGMENTS_MAX: usize = 16 << 10;
const _: () = assert!(OPEN_SEGMENTS_MIN < OPEN_SEGMENTS_MAX);

/// The memory for indexes of sealed segments as a share of that for batches read from disk, to which they come besides.
/// Reached: as with [`CACHED_INDEXES_MAX`].
pub const CACHED_INDEXES_PERCENT: usize = 20;
/// Indexes of sealed segments in memory at once per shard, each at most 32 bytes for every
/// [`INDEX_INTERVAL_BYTES`] of its segment. When reached, the one loaded first is dropped.
pub const CACHED_INDEXES_MAX: usize = 64;

/// A partition's tail up to this length is journaled again rather than written back when its journal file is
/// to be freed: ten thousand small writes would cost more than one long one.
pub const CARRY_BYTES_MAX: u64 = 64 << 10;

/// Partitions that are written back together, of which the files are synced side by side. Further ones wait; a
/// truncation waits for all of them.
pub const WRITE_BACKS_AT_ONCE: usize = 32;
const _: () = assert!(WRITE_BACKS_AT_ONCE < OPEN_SEGMENTS_MIN);

/// Journal files are freed so fast that it is done when this part of the room that there was (one half) is used: slower
/// than the disk could. Whoever waits for room ends all pacing.
pub const WRITE_BACK_ROOM_PART: u64 = 2;

/// How often compaction looks for more room, once in each of its pauses, before it tries again with what there is.
pub const COMPACTION_ROOM_LOOKS: u32 = 16;

/// The longest pause between two steps of write-back, ms: it goes on when nobody produces.
pub const WRITE_BACK_PAUSE_MS: u64 = 5;

/// Partitions that a checkpoint describes before other tasks get a turn.
pub const PARTITIONS_PER_TURN: usize = 64;

/// Bytes of descriptions after which other tasks get a turn, too. One partition's are at most about 3 MiB: its
/// producers and the index of its active segment.
pub const CHECKPOINT_BYTES_PER_TURN: usize = 256 << 10;

/// Idempotent producers that a partition remembers. When one more comes, the sixteenth that has not appended for
/// longest is forgotten: such a producer may go on at any sequence number, but a retry of a batch that it
/// appended before is appended again. Not configurable; that many take about 1.8 MB.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 4096;

/// Batches that a partition remembers of each idempotent producer to recognise their duplicates: clients keep at
/// most as many in flight. A retry of an older one is OUT_OF_ORDER_SEQUENCE_NUMBER. Fixed by the protocol.
pub const PRODUCER_DUPLICATE_WINDOW: usize = 5;

/// Batches that a partition keeps of each idempotent producer. A truncation takes away unacknowledged batches, of
/// which a producer has at most [`PRODUCER_DUPLICATE_WINDOW`]; as many more must be left, or their
/// duplicates would be taken for new. The oldest is forgotten when an eleventh comes.
pub const PRODUCER_BATCHES_KEPT: usize = 10;

const _: () = assert!(PRODUCER_BATCHES_KEPT >= 2 * PRODUCER_DUPLICATE_WINDOW);

/// `producer.id.expiration.ms` by default, Kafka's: how long an idle idempotent producer is remembered. After that it
/// is unknown, as beyond [`PRODUCERS_PER_PARTITION_MAX`].
pub const PRODUCER_ID_EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;

/// The share of the memory for state ([`STATE_MEMORY_PERCENT`]) that the idempotent producers of all partitions of a
/// shard may take, and one for each partition besides. Reached, but for a sixteenth: those that were idle for longest
/// are forgotten before `producer.id.expiration.ms`. Reached: a partition that takes a new one forgets others of its own.
pub const PRODUCER_STATE_PERCENT: u64 = 15;
/// Memory that an idempotent producer takes in a partition, about.
pub const PRODUCER_COST_BYTES: u64 = 440;
/// Idempotent producers that have appended in this time, in ms, are not forgotten for want of memory in other
/// partitions, unless a shard knows twice as many as it should.
pub const PRODUCERS_IDLE_MS_MIN: i64 = 1_000;
/// Time between two looks for producers that can be forgotten before their time, in ms.
pub const PRODUCERS_THINNED_EVERY_MS: u64 = 10_000;
const _: () = {
    let state_bytes = SHARD_MEMORY_BYTES_MIN * STATE_MEMORY_PERCENT / 100;
    let producers = state_bytes * PRODUCER_STATE_PERCENT / 100 / PRODUCER_COST_BYTES;
    assert!(
        producers > PRODUCERS_PER_PARTITION_MAX as u64,
        "one partition's producers leave room for others'"
    );
};

/// Leaders' terms that a partition remembers. When one more comes, the oldest is forgotten: who asks where
/// it ended is told where the oldest known one starts, as Kafka does after retention. Not configurable.
pub const EPOCHS_PER_PARTITION_MAX: usize = 1024;
/// Disk operations of one shard that the kernel works on at once: the size of the shard's io_uring. Further ones
/// wait in a queue of the shard.
pub const DISK_OPERATIONS_IN_FLIGHT_MAX: usize = 256;

/// Places in the io_uring that reads leave free, so that the journal never waits behind them.
pub const DISK_SLOTS_NOT_FOR_READS: usize = 32;
const _: () = assert!(DISK_SLOTS_NOT_FOR_READS < DISK_OPERATIONS_IN_FLIGHT_MAX);

/// Reads of one shard that may wait for a place in its io_uring. A further one fails at once with `ResourceBusy`,
/// which its reader is told. Writes are never refused: journal, write-back and checkpoints have bounds of their
/// own, and a refused one would take the shard's writer out of service.
pub const DISK_READS_WAITING_MAX: usize = 8192;

/// Connections that the kernel keeps for a listener until they are accepted; beyond it clients' SYNs are dropped
/// and tried again. The kernel lowers it to `net.core.somaxconn`.
pub const ACCEPT_BACKLOG: i32 = 4096;

const _: () = assert!(DISK_OPERATIONS_IN_FLIGHT_MAX.is_power_of_two(), "io_uring rounds up to powers of two");
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

// Memory. `memory` is divided evenly over the shards after `PROCESS_MEMORY_BYTES` is set aside; a shard's part
// is divided by the percentages below. Start is refused, naming the remedy, if a part is too small.

/// The least memory that a shard is started with. Below it `corelane` refuses to start (or, where the number
/// of shards was left to it, starts fewer).
pub const SHARD_MEMORY_BYTES_MIN: u64 = 256 * MIB;
/// Set aside once per process, before the shards' parts: control, its metadata store, code, stacks.
pub const PROCESS_MEMORY_BYTES: u64 = 64 * MIB;

/// Produce requests until they are executed. Reached: sockets are not read behind a further one, so TCP slows clients.
pub const REQUEST_MEMORY_PERCENT: u64 = 16;
/// The same, at most.
pub const REQUEST_MEMORY_BYTES_MAX: u64 = 512 * MIB;
/// All other requests, with what executing them takes: consumers do not wait for the disk with the producers.
/// Reached: as with produce requests.
pub const QUERY_MEMORY_PERCENT: u64 = 4;
/// The same, at most.
pub const QUERY_MEMORY_BYTES_MAX: u64 = 128 * MIB;
/// Records accepted and not yet durable: the journal's open group and the groups being written. Reached: the
/// shard stops taking produce requests from its connections until a group is durable.
pub const UNDURABLE_MEMORY_PERCENT: u64 = 10;
/// The same, at most: what a slow disk writes in about a second, so that no client waits much longer.
pub const UNDURABLE_MEMORY_BYTES_MAX: u64 = 128 * MIB;
/// Partition tails that are in the journal and not yet in their segments. Reached: produce waits for
/// write-back.
pub const DIRTY_MEMORY_PERCENT: u64 = 20;
/// Dirty bytes as a share of the journal: the rest is room for headers, padding, the unused ends of files, the
/// reserved files and carried entries.
pub const DIRTY_JOURNAL_PERCENT: u64 = 40;
/// Bytes pinned by fetch responses that are being sent. Reached: further fetches wait for it.
pub const FETCH_MEMORY_PERCENT: u64 = 13;
/// The same, at most.
pub const FETCH_MEMORY_BYTES_MAX: u64 = 512 * MIB;
/// All other responses that are being sent, and heads of fetch responses: producers get their metadata while consumers
/// hold all memory for records. Reached: requests other than produce wait before they are executed.
pub const REPLY_MEMORY_PERCENT: u64 = 2;
/// The same, at most.
pub const REPLY_MEMORY_BYTES_MAX: u64 = 64 * MIB;
/// Connections' own memory, see [`CONNECTION_BYTES`]. Bounds `max.connections`.
pub const CONNECTION_MEMORY_PERCENT: u64 = 10;
/// Partitions' state, segment indexes, producers, mailboxes, and what the allocator wastes.
pub const STATE_MEMORY_PERCENT: u64 = 10;
/// The least that is left for clean partition tails, which serve consumers without the disk. What the bounds
/// "at most" above leave over comes here. Reached: the oldest clean tail is dropped, and reads go to the disk.
pub const CACHE_MEMORY_PERCENT_MIN: u64 = 10;
/// Compaction: one half for the keys of a pass, the other for the batch that it is at. Reached: what does not fit waits
/// for the next pass; a batch that does not fit stays as it is.
pub const COMPACTION_MEMORY_PERCENT: u64 = 5;
/// The same, at most: the keys of ten million records.
pub const COMPACTION_MEMORY_BYTES_MAX: u64 = 512 * MIB;
/// A batch takes so many times its records' length: as they came, those that stay, with new timestamps, and packed.
pub const COMPACTION_BATCH_COPIES: u64 = 4;

const _: () = assert!(
    REQUEST_MEMORY_PERCENT
        + QUERY_MEMORY_PERCENT
        + UNDURABLE_MEMORY_PERCENT
        + DIRTY_MEMORY_PERCENT
        + FETCH_MEMORY_PERCENT
        + REPLY_MEMORY_PERCENT
        + CONNECTION_MEMORY_PERCENT
        + STATE_MEMORY_PERCENT
        + CACHE_MEMORY_PERCENT_MIN
        + COMPACTION_MEMORY_PERCENT
        == 100
);

// The journal.

/// Length of one journal file. A ring is a whole number of them. Where `journal.bytes` is less than the smallest
/// ring of these, its files are shorter.
pub const JOURNAL_FILE_BYTES: u64 = 64 * MIB;
/// The longest group that a ring can take, of any number of partitions, as a part of a file. It belongs to a
/// journal's shape, so it does not follow `message.max.bytes`, which must fit it.
pub const JOURNAL_FILE_PER_GROUP: u64 = 4;
/// The longest group of a ring of full-length files.
pub const JOURNAL_GROUP_BYTES_MAX: u64 = JOURNAL_FILE_BYTES / JOURNAL_FILE_PER_GROUP;
/// Room in a group besides the longest batch: a carried entry and the group's own.
pub const JOURNAL_GROUP_OVERHEAD_BYTES: u64 = MIB;
/// Length at which a group is closed although it waits for its turn: longer writes gain little throughput and
/// make the next group wait. A longer batch gets a group of its own.
pub const JOURNAL_GROUP_BYTES: usize = 512 << 10;
/// `journal.bytes` at least: the default `message.max.bytes` fits its groups.
pub const JOURNAL_BYTES_MIN: u64 = 48 * MIB;
/// Files in the smallest ring: one being written, one whose partitions are written back, one free.
pub const JOURNAL_FILES_MIN: u64 = 3;
/// Files in the ring by default, at most: restart reads the whole ring, and the first start writes it.
pub const JOURNAL_FILES_DEFAULT_MAX: u64 = 8;
/// `journal.bytes` at most.
pub const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * MIB;
/// `journal.bytes` as a share of a shard's memory, at most: recovery may hold all that the journal holds, at a
/// time when the other budgets are unused.
pub const JOURNAL_MEMORY_PERCENT_MAX: u64 = 75;
/// The share of a shard's memory that `journal.bytes` has by default, in whole files.
pub const JOURNAL_MEMORY_PERCENT_DEFAULT: u64 = 25;
/// Groups of the largest batch that fit the budget of undurable bytes: one open and two being written.
pub const UNDURABLE_GROUPS_MIN: u64 = 3;

const _: () = {
    let smallest = JOURNAL_FILES_MIN * JOURNAL_FILE_BYTES;
    assert!(smallest * 100 <= SHARD_MEMORY_BYTES_MIN * JOURNAL_MEMORY_PERCENT_MAX);
    assert!(
        SHARD_MEMORY_BYTES_MIN * DIRTY_MEMORY_PERCENT <= smallest * DIRTY_JOURNAL_PERCENT,
        "the smallest shard's dirty bytes fit its journal"
    );
    assert!(
        UNDURABLE_GROUPS_MIN * MESSAGE_BYTES_DEFAULT * 100
            <= SHARD_MEMORY_BYTES_MIN * UNDURABLE_MEMORY_PERCENT,
        "the smallest shard takes the default message.max.bytes"
    );
};

// Requests and responses.

/// `message.max.bytes` by default, Kafka's: 1 MiB and a batch header's length.
pub const MESSAGE_BYTES_DEFAULT: u64 = MIB + 12;
/// `message.max.bytes` at most: a batch travels in one journal group. A larger batch is answered with
/// MESSAGE_TOO_LARGE.
pub const MESSAGE_BYTES_MAX: u64 = 15 * MIB;
/// `socket.request.max.bytes` by default, Kafka's. A longer frame closes the connection.
pub const REQUEST_BYTES_DEFAULT: u64 = 100 * MIB;
/// Room in a frame besides one batch: header, topic name, arrays.
pub const REQUEST_OVERHEAD_BYTES: u64 = 64 * KIB;
/// `fetch.max.bytes` by default, Kafka's. A fetch that asks for more gets this much.
pub const FETCH_BYTES_DEFAULT: u64 = 55 * MIB;
/// Responses of `fetch.max.bytes` that fit the fetch memory by default, so that one client that does not read does
/// not hold all of it.
pub const FETCHES_AT_ONCE: u64 = 8;

const _: () = {
    assert!(MESSAGE_BYTES_MAX * UNDURABLE_GROUPS_MIN <= UNDURABLE_MEMORY_BYTES_MAX);
    assert!(MESSAGE_BYTES_MAX + JOURNAL_GROUP_OVERHEAD_BYTES <= JOURNAL_GROUP_BYTES_MAX);
    let smallest_group = JOURNAL_BYTES_MIN / JOURNAL_FILES_MIN / JOURNAL_FILE_PER_GROUP;
    assert!(MESSAGE_BYTES_DEFAULT + JOURNAL_GROUP_OVERHEAD_BYTES <= smallest_group);
    assert!(JOURNAL_GROUP_BYTES as u64 <= smallest_group);
    assert!(MESSAGE_BYTES_DEFAULT + REQUEST_OVERHEAD_BYTES <= REQUEST_BYTES_DEFAULT);
    assert!(REQUEST_BYTES_DEFAULT <= REQUEST_MEMORY_BYTES_MAX);
    assert!(FETCH_BYTES_DEFAULT * FETCHES_AT_ONCE <= FETCH_MEMORY_BYTES_MAX);
};

/// Memory that a connection costs before it has sent anything: receive buffer, session, queue of responses.
pub const CONNECTION_BYTES: u64 = 20 * KIB;
/// `max.connections` by default, at most. Beyond it a new connection is closed at once.
pub const CONNECTIONS_DEFAULT_MAX: u64 = 8192;
/// `max.connections` at most.
pub const CONNECTIONS_MAX: u64 = 1_000_000;
/// `max.in.flight.requests.per.connection` at most.
pub const CONNECTION_REQUESTS_MAX: i64 = 10_000;

/// Files that a shard opens at least, besides its connections: segments, journal, checkpoints, rings, its listeners.
pub const SHARD_OPEN_FILES: u64 = 1024;
const _: () = assert!(OPEN_SEGMENTS_MIN as u64 * 4 / 3 <= SHARD_OPEN_FILES, "a quarter for everything else");
/// Files that the process opens besides its shards'.
pub const PROCESS_OPEN_FILES: u64 = 64;
const _: () = assert!(ADMIN_CONNECTIONS_MAX as u64 * 2 <= PROCESS_OPEN_FILES, "half for everything else");
/// RLIMIT_MEMLOCK at least: glommio starts no executor below it, however many there are.
pub const LOCKED_MEMORY_BYTES_MIN: u64 = 512 * KIB;

/// What is read of one file of /proc or /sys at most when the machine is looked at; the rest is not looked at.
pub const CHECK_FILE_BYTES_MAX: u64 = MIB;
/// Names that are read of one of its directories at most; further ones are not looked at.
pub const CHECK_ENTRIES_MAX: usize = 65_536;

// Topics.

/// Partitions of one topic at most; CreateTopics beyond it is answered with INVALID_PARTITIONS.
pub const TOPIC_PARTITIONS_MAX: i64 = 10_000;
/// `log.segment.bytes` at least.
pub const SEGMENT_BYTES_MIN: u64 = MIB;
/// `log.segment.bytes` by default, Kafka's.
pub const SEGMENT_BYTES_DEFAULT: u64 = 1024 * MIB;
/// `log.segment.bytes` at most, Kafka's: positions in the index are signed 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// How far ahead of the broker's clock a segment's largest timestamp may be to count for `retention.ms`, in ms. One
/// beyond counts as the time when the segment was filled: one wrong timestamp must not keep a log for ever.
/// Kafka's default of `message.timestamp.after.max.ms`.
pub const RETENTION_AHEAD_MS_MAX: i64 = 60 * 60 * 1000;
/// Bytes by which a segment file is shortened at a time before it is removed. A file system that frees a long file
/// at once holds up the writes beside it.
pub const RECLAIM_STEP_BYTES: u64 = 64 * MIB;
/// Pause between two such steps, and two removed segments, in ms: a segment of 1 MiB is produced more slowly than
/// it is removed.
pub const RECLAIM_PAUSE_MS: u64 = 2;

/// Bytes of batches and records that compaction works on in one turn of a shard; then others are served. A turn may be
/// longer by a step of a codec ([`CODEC_STEP_BYTES`]) or one record.
pub const COMPACTION_BYTES_PER_TURN: usize = 64 << 10;
/// Bytes that compaction reads or writes at once, but for a batch that is longer.
pub const COMPACTION_IO_BYTES: usize = 256 << 10;
const _: () = assert!(COMPACTION_IO_BYTES.is_multiple_of(BLOCK_BYTES));
/// `log.cleaner.io.max.bytes.per.second` by default, for each shard: read and written together. Reached: it waits.
pub const COMPACTION_BYTES_PER_SECOND_DEFAULT: u64 = 32 * MIB;
/// The longest that it waits before it looks whether it has to end.
pub const COMPACTION_PAUSE_MS_MAX: u64 = 100;
/// `log.cleaner.backoff.ms` by default, Kafka's: time between two looks for something to compact.
pub const COMPACTION_BACKOFF_MS_DEFAULT: u64 = 15_000;
/// Bytes of segments that compaction has put others in the place of and that a crash may still need. Reached: a
/// checkpoint is written at once, and their files go.
pub const COMPACTION_RETIRED_BYTES_MAX: u64 = 256 * MIB;
/// What compaction leaves free, as a part of `disk.free.min`: what it writes is room that it gives back, with more, when
/// the old segments go. Reached: the pass ends, what it was writing is removed, and the next one waits for more room.
pub const COMPACTION_FREE_PART: u64 = 2;
// A disk that fills.

/// `disk.free.min` by default. Reached: produce is refused with KAFKA_STORAGE_ERROR, and retention is applied at once.
/// Enough for what goes on meanwhile: the space that segments ask for ahead, indexes, metadata.
pub const DISK_FREE_BYTES_DEFAULT: u64 = 1024 * MIB;
/// `disk.free.min` at most.
pub const DISK_FREE_BYTES_MAX: u64 = 1 << 46;
/// What must be free besides `disk.free.min` before produce is accepted again, as a part of it: it should not be refused
/// and accepted by turns.
pub const DISK_FREE_RESUME_PART: u64 = 4;
/// The same at most.
pub const DISK_FREE_RESUME_BYTES_MAX: u64 = 64 * MIB;
/// How often a shard looks at the free space besides, at least, while it takes all that is left above `disk.free.min`.
pub const DISK_LOOKS_UNTIL_FULL: u64 = 16;
/// How often a shard looks at the free space, and tries again what the full disk refused, in ms.
pub const DISK_SPACE_CHECK_MS: u64 = 1_000;
/// A checkpoint's file has space for one that is larger by this part of it, in whole steps of
/// [`CHECKPOINT_SPACE_STEP_BYTES`], so that the next one is written on a full disk, too.
pub const CHECKPOINT_SPACE_PART: u64 = 4;
/// See [`CHECKPOINT_SPACE_PART`].
pub const CHECKPOINT_SPACE_STEP_BYTES: u64 = MIB;
const _: () = assert!(CHECKPOINT_SPACE_STEP_BYTES.is_multiple_of(BLOCK_BYTES as u64));
/// Damaged partitions of a shard that its health names; further ones are only counted.
pub const DAMAGE_NAMED_MAX: usize = 16;

// A disk that does not answer.

/// How long a disk operation may be under way before the log asks whether the disk is well, in ms.
pub const DISK_SLOW_MS: u64 = 10_000;
/// How long a disk operation may be under way, in ms. Reached: /healthz is 503 and names it, until it has ended. Nothing
/// else changes: whoever needs it waits, since nobody knows what became of it.
pub const DISK_STALL_MS: u64 = 30_000;
const _: () = assert!(DISK_SLOW_MS < DISK_STALL_MS);
/// How often a shard looks for such operations, to log them, in ms.
pub const DISK_STALL_CHECK_MS: u64 = 1_000;

// Clocks that step.

/// By how much the wall clock may run ahead of the time that has passed before that counts as a step, in ms.
pub const CLOCK_STEP_MS: i64 = 60_000;
/// How long the clock must have stayed where a step forward put it before records are deleted and producers forgotten
/// by it, in ms.
pub const CLOCK_STEP_HELD_MS: u64 = 24 * 60 * 60 * 1000;

// Configuration itself.

/// A configuration file is at most this long; a longer one is refused unread.
pub const CONFIG_FILE_BYTES_MAX: u64 = MIB;
/// Listeners at most.
pub const LISTENERS_MAX: usize = 16;
/// CPU numbers in `cpus` are below this, as in the kernel (CONFIG_NR_CPUS).
pub const CPU_NUMBER_END: usize = 8192;
/// Distance from a listener's port to its first shard's port by default.
pub const SHARD_PORT_OFFSET: u16 = 100;

/// Orders of the main thread that wait for a shard: one for each step of start and stop, so it never waits.
pub const SHARD_ORDERS_MAX: usize = 4;

/// How often a start looks again at ports that are in use. Reached: it is refused.
pub const PORT_RELEASE_TRIES: u32 = 100;
/// Pause between two looks.
pub const PORT_RELEASE_PAUSE_MS: u64 = 50;

/// Shards whose files are made at the same time at the first start: enough to keep a fast disk busy with zeros.
/// Further ones wait.
pub const SHARDS_BUILT_AT_ONCE: usize = 8;
/// The longest string that Kafka's protocol allows, in bytes of UTF-8. A longer one makes the message malformed.
pub const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// Memory that decoding one message may take, in bytes for each byte received. Real requests take up to 4: a
/// partition in a fetch is 16 bytes on the wire and 56 in memory. A message that wants more is malformed.
pub const DECODED_BYTES_PER_BYTE: usize = 8;

/// Memory that decoding one message may always take, in bytes, so that short messages are never refused.
pub const DECODED_BYTES_MIN: usize = 64 << 10;

/// Memory that decoding one message may never exceed, in bytes, however long the message is: enough for a
/// request that names half a million partitions. Payloads (records) are not copied and do not count.
pub const DECODED_BYTES_MAX: usize = 32 << 20;

const _: () = assert!(DECODED_BYTES_MIN >= STRING_BYTES_MAX && DECODED_BYTES_MIN <= DECODED_BYTES_MAX);
/// Length of a topic's name at most, Kafka's: with a partition's number it is the name of a directory.
/// CreateTopics beyond it is answered with INVALID_TOPIC_EXCEPTION.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Partitions that one shard owns at most. Reached: CreateTopics is answered with POLICY_VIOLATION, and a start
/// with fewer shards is refused.
pub const PARTITIONS_PER_SHARD_MAX: usize = 20_000;
/// Partitions that one CreateTopics makes at most, Kafka's. Beyond it: POLICY_VIOLATION.
pub const PARTITIONS_PER_COMMAND_MAX: usize = 10_000;
const _: () = assert!(TOPIC_PARTITIONS_MAX as usize <= PARTITIONS_PER_COMMAND_MAX);
const _: () = assert!(PARTITIONS_PER_COMMAND_MAX <= PARTITIONS_PER_SHARD_MAX);

/// Producer ids that a shard is given at once, Kafka's. The unused ones of a block are lost at a restart.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

// The cluster.

/// Nodes of a cluster at most. Reached: a node that was never registered is refused.
pub const NODES_MAX: usize = 1000;
/// Copies of a partition at most. Beyond it: INVALID_REPLICATION_FACTOR, and for assignments
/// INVALID_REPLICA_ASSIGNMENT.
pub const REPLICAS_PER_PARTITION_MAX: usize = 16;
/// Disks that a node had before, which its record names. When one more comes the oldest is forgotten: it does not come
/// back as what it was, but is refused while it may have the only copy of something.
pub const FORMER_DISKS_MAX: usize = 16;
/// How long a node may be silent before the controller fences it, in ms: `broker.session.timeout.ms` by Kafka's name,
/// but shorter, as it is most of what a failover takes.
pub const NODE_SESSION_TIMEOUT_MS: u64 = 2_000;

// Control.

/// Commands that wait for control. Reached: a shard's sender waits, and with it the request.
pub const CONTROL_COMMANDS_MAX: usize = 256;
/// Commands that control commits in one transaction at most.
pub const CONTROL_COMMANDS_PER_COMMIT_MAX: usize = 64;
/// Replies that wait until every shard has applied the change. Reached: control takes no further commands.
pub const CONTROL_REPLIES_WAITING_MAX: usize = 1024;
const _: () = assert!(CONTROL_COMMANDS_PER_COMMIT_MAX <= CONTROL_REPLIES_WAITING_MAX);

/// Bytes of changes in one proposal where a start registers itself, which concerns every partition that the node leads.
/// Longer: they are several proposals, one after the other.
pub const REGISTRATION_PIECE_BYTES: usize = 4 << 20;
const _: () = assert!(
    2 * REGISTRATION_PIECE_BYTES <= QUORUM_ENTRY_BYTES_MAX,
    "half of an entry is left for what the encoding adds"
);
/// Entries of the log of a quorum of one at which it is trimmed to half as many: nobody else needs them, and they take
/// disk space beside the records.
pub const LONE_QUORUM_LOG_ENTRIES_MAX: usize = 256;
/// The same in bytes.
pub const LONE_QUORUM_LOG_BYTES_MAX: usize = 4 << 20;

/// Memory in which the metadata store caches its pages.
pub const METADATA_CACHE_BYTES: usize = 8 << 20;
/// One metadata record in the store at most; a longer one counts as corruption. The longest is a topic with
/// every config set.
pub const METADATA_RECORD_BYTES_MAX: usize = 64 << 10;
/// Length of one config value that a client sets at most; a longer one is refused with INVALID_CONFIG. Numbers may
/// have leading zeros, and all configs of a resource are one record.
pub const CONFIG_VALUE_BYTES_MAX: usize = 512;
const _: () =
    assert!(64 * (CONFIG_VALUE_BYTES_MAX + 128) <= METADATA_RECORD_BYTES_MAX, "64 configs are one record");
/// Disk space reserved for deletions on a full disk, at least. It grows with the metadata store, which may
/// double in one commit.
pub const BALLAST_BYTES_MIN: u64 = 4 << 20;
/// DATA_DIR/node.json at most; a longer one counts as corruption.
pub const NODE_FILE_BYTES_MAX: u64 = 64 << 10;

// Administrative responses.

/// Partitions in one DescribeTopicPartitions response at most, Kafka's `max.request.partition.size.limit`. Reached:
/// the response says where the next one starts.
pub const DESCRIBED_PARTITIONS_MAX: usize = 2000;
/// Length from which a response of Metadata or DescribeConfigs is counted before it is put together. Then it waits
/// for the memory of responses, where it is counted once it is sent.
pub const LARGE_RESPONSE_BYTES: u64 = 64 * KIB;
/// Topics or resources that one request describes before other tasks get a turn.
pub const DESCRIBED_PER_TURN: usize = 64;

// Between shards.

/// Appends that wait in a shard's mailbox. Reached: the sending shard's connection waits, and stops reading.
pub const MAILBOX_APPENDS_MAX: usize = 1024;
/// Queries that wait in a shard's mailbox. Reached: the sender waits.
pub const MAILBOX_QUERIES_MAX: usize = 1024;

// Connections.

/// A connection's buffer for what arrives; small requests that arrive together are read at once.
pub const RECEIVE_BUFFER_BYTES: usize = 8 << 10;
/// Steps in which the memory of a longer request grows while it arrives.
pub const RECEIVE_STEP_BYTES: usize = 64 << 10;
const _: () = assert!(RECEIVE_BUFFER_BYTES as u64 * 2 <= CONNECTION_BYTES);
/// In this time a step of a request, or its rest, must arrive. Reached: the connection closes, since others wait for
/// the memory that was set aside for the request.
pub const REQUEST_STALL_MS: u64 = 30_000;
/// The same while others wait for the memory.
pub const REQUEST_STALL_WANTED_MS: u64 = 5_000;
/// Memory that every request takes besides its bytes until it is executed: its place in line, and what the allocator
/// needs for the frame.
pub const REQUEST_COST_BYTES: u64 = 128;
/// Memory that a produce request takes besides its records until it is answered, and each of its partitions.
pub const PRODUCE_COST_BYTES: u64 = 512;
/// See [`PRODUCE_COST_BYTES`]: its place in the response, who waits for it, and its row in the journal's group.
pub const PRODUCE_PARTITION_COST_BYTES: u64 = 512;
/// Memory that a request takes while it is executed and answered, at most, in bytes for each byte of it: a partition
/// of a fetch is 16 bytes on the wire, 56 decoded, some 200 in the response and 60 in its encoding. Produce takes
/// its own bytes. A request that would take more than all memory for its like closes the connection.
pub const REQUEST_COST_PER_BYTE: u64 = 20;
/// The same for JoinGroup and SyncGroup, which are made of what only the members understand: it stays a view of the
/// request, and the rest takes [`GROUP_DECODED_BYTES_PER_BYTE`]. What they leave in the group counts there. A request
/// that would take more than all memory for its like is answered with GROUP_MAX_SIZE_REACHED or UNKNOWN_SERVER_ERROR. A
/// short one may always decode to [`DECODED_BYTES_MIN`], and is counted like any other ([`REQUEST_COST_PER_BYTE`]) up to
/// that.
pub const GROUP_REQUEST_COST_PER_BYTE: u64 = 1 + GROUP_DECODED_BYTES_PER_BYTE as u64;
/// Memory that decoding a JoinGroup or SyncGroup may take, in bytes for each byte received. A share is 37 bytes of
/// member id on the wire at least, and 93 decoded.
pub const GROUP_DECODED_BYTES_PER_BYTE: usize = 3;
/// So much of a request that memory does not hold is kept to be answered by name: a header with the longest string.
pub const REFUSED_HEAD_BYTES: usize = 64 << 10;
const _: () = assert!(REFUSED_HEAD_BYTES > STRING_BYTES_MAX + 64);
/// In this time a client that is sent a response must take [`RESPONSE_STALL_BYTES`] of it, or the rest, if others wait
/// for the memory that responses pin. Reached: the connection closes.
pub const RESPONSE_STALL_MS: u64 = 5_000;
/// See [`RESPONSE_STALL_MS`]. Taken is what the client's kernel has.
pub const RESPONSE_STALL_BYTES: usize = 64 << 10;
/// A slow client gets its records in responses that it takes in about this time, so that it holds little memory.
pub const RESPONSE_PACE_MS: u64 = 1_000;
/// Records in a response to the slowest client, at most, but for a first batch that is longer.
pub const RESPONSE_PACE_BYTES_MIN: usize = 64 << 10;
/// Silence after which the kernel asks a client whether it is still there. A client that vanished without closing
/// would hold its connection for ever.
pub const KEEPALIVE_IDLE_S: u64 = 60;
/// Time between two such questions.
pub const KEEPALIVE_INTERVAL_S: u64 = 10;
/// Such questions without an answer. Reached: the connection closes.
pub const KEEPALIVE_PROBES: u32 = 6;
/// Requests that one connection reads or executes before others get a turn, in bytes.
pub const CONNECTION_BYTES_PER_TURN: usize = 256 << 10;
/// Responses that are sent at once, in bytes: enough for the network, and not too much for one turn.
pub const SEND_BYTES_PER_TURN: usize = 1 << 20;
/// The same in pieces of memory: the most that the kernel takes at once (IOV_MAX).
pub const SEND_PARTS_PER_TURN: usize = 1024;
/// Pause after a connection could not be accepted, for want of descriptors or memory.
pub const ACCEPT_PAUSE_MS: u64 = 100;
/// Time between two log lines of a shard that say that connections are refused, and between two that say so of requests
/// for which there is no memory.
pub const REFUSALS_LOG_MS: u64 = 10_000;

// The admin port.

/// Connections to the admin port that are served at a time. Reached: further ones wait to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;
/// In this time the head of a request to the admin port must be there. Reached: the connection closes.
pub const ADMIN_REQUEST_MS: u64 = 2_000;
/// In this time such a request must be over, answer and all. Reached: the connection closes.
pub const ADMIN_CONNECTION_MS: u64 = 10_000;
const _: () = assert!(ADMIN_REQUEST_MS + 2 * ADMIN_SHARD_ANSWER_MS < ADMIN_CONNECTION_MS);
/// Length of such a request's head, at most. A longer one is answered with 431.
pub const ADMIN_HEADER_BYTES_MAX: usize = 8 << 10;
/// Header lines of such a request, at most. More are answered with 431.
pub const ADMIN_HEADERS_MAX: usize = 64;
/// Metrics are made and sent for so many at a time, since they grow with the shards. Further ones wait.
pub const ADMIN_SCRAPES_MAX: usize = 2;
/// In this time a shard must answer what it counts. Reached: it is told as not answering.
pub const ADMIN_SHARD_ANSWER_MS: u64 = 1_000;

// Groups and transactions.

/// Keys of one FindCoordinator request that are answered; clients ask again for those that got no answer.
pub const COORDINATOR_KEYS_MAX: usize = 10_000;
/// The share of the memory for state ([`STATE_MEMORY_PERCENT`]) that groups, their members and offsets may take.
/// Reached: new members are refused with GROUP_MAX_SIZE_REACHED, commits with INVALID_COMMIT_OFFSET_SIZE, assignments
/// with UNKNOWN_SERVER_ERROR.
pub const GROUP_STATE_PERCENT: u64 = 40;
const _: () = assert!(GROUP_STATE_PERCENT + FETCH_SESSION_STATE_PERCENT + PRODUCER_STATE_PERCENT < 100);
/// Memory that a group takes besides its members and offsets, about.
pub const GROUP_COST_BYTES: usize = 700;
/// Memory that a member takes besides what it sends, about.
pub const GROUP_MEMBER_COST_BYTES: usize = 400;
/// Memory that a committed offset takes besides its metadata, about.
pub const GROUP_OFFSET_COST_BYTES: usize = 200;
/// Bytes of a record besides what clients sent for it, at most.
pub const GROUP_RECORD_OVERHEAD_BYTES: usize = 128;
/// `group.max.size` by default: members of a group. A further one is told GROUP_MAX_SIZE_REACHED. Kafka has no bound, but
/// what a rebalance does once for all members keeps a shard from its other work for about 1 us for each (`cargo bench
/// --bench groups -- turn`): 2 ms, as long as other long turns.
pub const GROUP_MEMBERS_DEFAULT: i64 = 2_000;
/// The same at most: whoever wants groups this large accepts turns of 10 ms.
pub const GROUP_MEMBERS_MAX: i64 = 10_000;
const _: () = assert!(GROUP_MEMBERS_DEFAULT <= GROUP_MEMBERS_MAX);
/// Ids of a group that were given out and not joined with yet. Reached: the oldest is forgotten; who comes with it is
/// told UNKNOWN_MEMBER_ID and asks for another.
pub const GROUP_PENDING_MEMBERS_MAX: usize = 20_000;
/// How long the first join of a member may wait (Kafka's NewMemberJoinTimeoutMs): its client may have left. Reached:
/// the member is forgotten.
pub const GROUP_NEW_MEMBER_JOIN_MS: u64 = 5 * 60 * 1000;
/// Groups that are looked at in one turn of a shard; then its other tasks get a turn.
pub const GROUPS_PER_TURN: usize = 64;
/// Members and others that are answered in one turn of a shard. What groups have to say to more waits for the next turns:
/// each answer wakes a connection, which encodes and sends it.
pub const GROUP_REPLIES_PER_TURN: usize = 64;
/// Protocols that one member speaks, at most. Real clients name one to four. Beyond it: INCONSISTENT_GROUP_PROTOCOL.
pub const GROUP_PROTOCOLS_MAX: usize = 32;
/// Offsets of a group that are forgotten at once because of their age. Further ones go the next time.
pub const GROUP_OFFSETS_FORGOTTEN_AT_ONCE: usize = 1000;
/// Pause before a partition of `__consumer_offsets` that could not be read is read again. It doubles with each failure.
pub const GROUP_RELOAD_PAUSE_MS: u64 = 1_000;
/// The same, at most.
pub const GROUP_RELOAD_PAUSE_MS_MAX: u64 = 5 * 60 * 1000;
/// Bytes of `__consumer_offsets` that are read at once when a shard takes a partition of it up.
pub const GROUP_LOAD_BYTES: usize = 512 << 10;

// Fetch and ListOffsets.

/// How long a fetch waits for more at most, whatever its `max_wait_ms`: then it is answered with what there is.
pub const FETCH_WAIT_MS_MAX: u64 = 60_000;
/// `max.incremental.fetch.session.cache.slots` by default, Kafka's: fetch sessions of each shard. Reached: a session
/// goes for a new one by Kafka's rules, or the new client goes on without a session.
pub const FETCH_SESSIONS_DEFAULT: u64 = 1000;
/// The same at most.
pub const FETCH_SESSIONS_MAX: u64 = 100_000;
/// The share of the memory for state ([`STATE_MEMORY_PERCENT`]) that partitions in fetch sessions may take. Reached:
/// as with too many sessions.
pub const FETCH_SESSION_STATE_PERCENT: u64 = 30;
/// Memory of one partition in a fetch session.
pub const FETCH_SESSION_PARTITION_BYTES: u64 = 400;
/// After this time without a request a fetch session may go for a new one, and after this time since its beginning
/// for a larger one. Kafka's.
pub const FETCH_SESSION_EVICTION_MS: u64 = 120_000;
/// Producers that one DescribeProducers is told of at most. Reached: the remaining partitions are answered with
/// POLICY_VIOLATION; they may be asked for in another request.
pub const DESCRIBED_PRODUCERS_MAX: usize = 100_000;
const _: () = assert!(PRODUCERS_PER_PARTITION_MAX <= DESCRIBED_PRODUCERS_MAX);
/// Compressed records are unpacked for a look-up by time up to this length. Beyond it the batch's first offset is
/// the answer.
pub const LOOK_UP_UNPACKED_BYTES_MAX: usize = 16 << 20;
/// The same as a multiple of the compressed length.
pub const LOOK_UP_RATIO_MAX: usize = 1024;

// Recompression.

/// Bytes of records that are packed or unpacked in one turn of a shard; then its other clients are served. Where a codec
/// cannot stop inside of a block, a turn is longer: LZ4's blocks are at most 4 MiB, zstd's 128 KiB, and snappy without
/// framing is one block.
pub const CODEC_STEP_BYTES: usize = 32 << 10;
/// What the records of one batch may unpack to where the broker looks into them, because the topic has a codec or a bound
/// of timestamps of its own. Beyond it: MESSAGE_TOO_LARGE, at which clients that can split the batch do.
pub const RECOMPRESSED_BYTES_MAX: usize = 16 << 20;
const _: () = assert!(MESSAGE_BYTES_MAX <= RECOMPRESSED_BYTES_MAX as u64, "what may be sent may be unpacked");
/// Records that are named because of which a batch is refused; further ones are refused without being named.
pub const RECORD_ERRORS_MAX: usize = 100;

// Tools that look at files while no broker runs, and scrubbing.

/// Findings that `corelane log verify` lists. Reached: the others are only counted.
pub const OFFLINE_FINDINGS_MAX: usize = 1000;
/// What the tools read of a segment at a time, in bytes. A longer batch is read whole.
pub const OFFLINE_READ_BYTES: usize = 1 << 20;
/// What a scrub reads of a segment at a time, in bytes: as much as a read that is not sequential. A longer batch is
/// read whole.
pub const SCRUB_READ_BYTES: usize = COLD_READ_BYTES_MIN;
/// Damaged stretches of one segment that a scrub logs one by one. Reached: the others are only counted.
pub const SCRUB_DAMAGE_LOGGED_MAX: usize = 10;
/// Time from the start of one scrub of all sealed segments to the start of the next one, at least.
pub const SCRUB_PASS_MS_MIN: u64 = 24 * 60 * 60 * 1000;
/// `scrub.bytes.per.second` at most.
pub const SCRUB_BYTES_PER_SECOND_MAX: u64 = 4 << 30;
/// What the records of one batch may unpack to where `corelane log dump` prints them. Beyond it: told instead.
pub const OFFLINE_UNPACKED_BYTES_MAX: usize = 256 << 20;
/// Length of the log of repairs. Reached: its oldest lines go.
pub const REPAIR_LOG_BYTES_MAX: usize = 1 << 20;

// Client commands.

/// A line that `corelane produce` reads. Longer: told, and nothing is sent from there on.
pub const PRODUCE_LINE_BYTES_MAX: usize = 16 << 20;
/// What it reads of stdin at a time.
pub const PRODUCE_READ_BYTES: usize = 64 << 10;
/// Such pieces, each with at least one line, that are read and not sent yet. Reached: stdin waits.
pub const PRODUCE_PIECES_MAX: usize = 4;
/// Records that librdkafka has and no broker has acknowledged. Reached: stdin waits.
pub const PRODUCE_QUEUE_BYTES_MAX: usize = 64 << 20;
const _: () = assert!(PRODUCE_LINE_BYTES_MAX < PRODUCE_QUEUE_BYTES_MAX, "every record can be sent");
/// What `corelane consume` collects while more is there, before it prints.
pub const CONSUME_PRINT_BYTES: usize = 64 << 10;
/// Groups that one look of `corelane top` asks for their offsets, those with members first. More: counted.
pub const TOP_GROUPS_MAX: usize = 200;
/// Metrics that it reads from an admin port. Longer: told, and not shown.
pub const TOP_PAGE_BYTES_MAX: u64 = 16 << 20;
/// A file of client settings. Longer: it is refused.
pub const SETTINGS_FILE_BYTES_MAX: u64 = 64 << 10;

// The metadata quorum.

/// One proposal's bytes. Longer: it is refused, and whoever made it makes several of it.
pub const QUORUM_ENTRY_BYTES_MAX: usize = 8 << 20;
/// Bytes of entries that a leader sends in one message, if it is not a single entry.
pub const QUORUM_APPEND_BYTES: usize = 1 << 20;
/// Messages with entries that are on their way to a member without an answer. Reached: the leader waits.
pub const QUORUM_APPENDS_IN_FLIGHT_MAX: usize = 16;
/// Bytes of entries that are proposed and not committed. Reached: further proposals are refused as busy.
pub const QUORUM_UNCOMMITTED_BYTES_MAX: usize = 32 << 20;
/// Proposals that wait for being committed. Reached: further ones are refused as busy.
pub const QUORUM_PROPOSALS_MAX: usize = 1024;
/// Reads that wait for being confirmed: of a member, and at a leader. Reached: further ones are refused.
pub const QUORUM_READS_MAX: usize = 1024;
/// Messages that wait for the disk. Reached: the member stands still until the disk answers.
pub const QUORUM_MESSAGES_HELD_MAX: usize = 1024;
/// Entries of the quorum's log at which it is trimmed to half as many. Who is behind that gets a snapshot.
pub const QUORUM_LOG_ENTRIES_MAX: usize = 16 << 10;
/// The same in bytes. Uncommitted entries are not trimmed.
pub const QUORUM_LOG_BYTES_MAX: usize = 64 << 20;
/// Bytes of records in one chunk of a snapshot, if it is not a single record.
pub const QUORUM_CHUNK_BYTES: usize = 256 << 10;
/// Bytes of records that a member takes in as a snapshot. Longer: it is refused.
pub const QUORUM_SNAPSHOT_BYTES_MAX: usize = 1 << 30;
/// A message between members, encoded. A longer one is not read: the connection is closed.
pub const QUORUM_FRAME_BYTES_MAX: usize = 16 << 20;
const _: () = assert!(QUORUM_ENTRY_BYTES_MAX + QUORUM_APPEND_BYTES < QUORUM_FRAME_BYTES_MAX);
const _: () = assert!(QUORUM_CHUNK_BYTES + QUORUM_ENTRY_BYTES_MAX < QUORUM_FRAME_BYTES_MAX);
const _: () = assert!(QUORUM_ENTRY_BYTES_MAX + QUORUM_APPEND_BYTES <= QUORUM_UNCOMMITTED_BYTES_MAX);
/// Voters of the quorum at most: more of them survive more failures at once, and make every decision slower.
pub const QUORUM_VOTERS_MAX: usize = 5;
/// Peers whose sessions a member keeps apart. Reached: frames of further ones are dropped until the node starts anew.
pub const QUORUM_PEERS_MAX: usize = 64;
/// Bytes of changes that were applied and not made durable since; the log has them. Reached: they are.
pub const QUORUM_UNSAVED_BYTES_MAX: usize = 1 << 20;
/// The same in entries.
pub const QUORUM_UNSAVED_ENTRIES_MAX: usize = 1024;
/// Entries for which a member remembers the checksum of its records, to compare it with the leader's.
pub const QUORUM_CHECKSUMS_KEPT: usize = 4096;
const _: () = assert!(QUORUM_PROPOSALS_MAX < QUORUM_CHECKSUMS_KEPT);

// Replication between peer shards.

/// Bytes of records in one frame between peer shards. More: the group goes in several frames; a frame that says so is
/// not read, and its connection is closed.
pub const REPLICATION_RECORDS_BYTES_MAX: usize = 16 << 20;
const _: () = assert!(MESSAGE_BYTES_MAX as usize <= REPLICATION_RECORDS_BYTES_MAX, "a batch fits a frame");
/// Entries, marks, answers of each kind in one frame between peer shards. Reached: what is left goes in the next one.
pub const REPLICATION_ENTRIES_MAX: usize = 8 << 10;
/// Bytes of the archive of a frame between peer shards. A longer one is not read: the connection is closed.
pub const REPLICATION_ARCHIVE_BYTES_MAX: usize = 2 << 20;
const _: () = assert!(REPLICATION_ENTRIES_MAX * 160 + 64 <= REPLICATION_ARCHIVE_BYTES_MAX, "full frames fit");
/// Bytes of pushes by one connection that the peer shard has not answered. Reached: its partitions catch up from the log.
pub const REPLICATION_WINDOW_BYTES: usize = 32 << 20;
/// The same in frames.
pub const REPLICATION_WINDOW_FRAMES_MAX: usize = 1024;
const _: () = assert!(
    REPLICATION_RECORDS_BYTES_MAX + REPLICATION_ARCHIVE_BYTES_MAX <= REPLICATION_WINDOW_BYTES,
    "the largest frame fits an empty window"
);
/// Writes of one followed partition that are not durable yet. At half of it, what comes waits; reached: it is refused, and
/// the session ends.
pub const REPLICATION_PENDING_MAX: usize = 4096;
const _: () =
    assert!(REPLICATION_WINDOW_FRAMES_MAX < REPLICATION_PENDING_MAX, "the leader's window ends first");
/// Peer shards whose sessions a shard keeps apart. Reached: sessions of further ones are refused.
pub const REPLICATION_PEERS_MAX: usize = 8 << 10;
/// Time after which a leader sends a proposed in-sync set again of which it has not heard the outcome.
pub const REPLICATION_PROPOSAL_AGAIN_MS: u64 = 1_000;
/// Time for which a leader does not propose the in-sync set again that was refused. Another one it proposes at once.
pub const REPLICATION_REFUSED_BACK_OFF_MS: u64 = 500;
/// Memory for frames that a connection between peer shards keeps from one to the next. What a longer one took is given
/// back.
pub const REPLICATION_BODY_BYTES_KEPT: usize = 1 << 20;
/// Frames for a peer shard that its socket has not taken yet. Each may keep a whole journal group in memory, however few
/// of its bytes it has. Reached: as with a full window.
pub const REPLICATION_UNSENT_FRAMES_MAX: usize = 16;
/// Bytes that are read of a log at once for a follower that catches up, but for a batch that is longer.
pub const REPLICATION_CATCH_UP_READ_BYTES: usize = 256 << 10;
/// Bytes a second that a shard reads for one peer shard's followers that catch up. Reached: the next read waits.
pub const REPLICATION_CATCH_UP_BYTES_PER_SECOND: u64 = 64 << 20;
/// How long a follower may go without having all that the leader's log has before it leaves the in-sync set:
/// `replica.lag.time.max.ms`.
pub const REPLICA_LAG_MAX_MS: u64 = 30_000;
/// Time between two looks at how far the followers of led partitions are behind.
pub const REPLICATION_TICK_MS: u64 = 200;
/// Time after which a change of in-sync sets is asked for again that the controller has not carried out.
pub const REPLICATION_PROPOSE_AGAIN_MS: u64 = 500;
/// Time after which a copy that could not take its leader's records, or that is damaged, is looked at again.
pub const REPLICATION_SET_ASIDE_MS: u64 = 5_000;
/// Changes of in-sync sets in one command to the controller. Reached: the rest goes in the next one.
pub const REPLICATION_PROPOSALS_MAX: usize = 1024;
/// Connections from other nodes that are on their way from control to a shard. Reached: further ones are closed.
pub const PEER_ARRIVALS_MAX: usize = 256;

// The link between nodes.

/// A message of the handshake between two nodes. A longer one is not read: the connection is closed.
pub const LINK_GREETING_BYTES_MAX: usize = 1024;
/// The text with which a node refuses a connection. Longer: its end is left out; a peer's counts as damaged.
pub const LINK_REFUSAL_TEXT_BYTES_MAX: usize = 512;
const _: () = assert!(LINK_REFUSAL_TEXT_BYTES_MAX + 64 <= LINK_GREETING_BYTES_MAX);
/// Time for connecting to a node, and again for the handshake. Reached: the connection is given up.
pub const LINK_HANDSHAKE_MS: u64 = 3_000;
/// Wait after the first attempt to connect that failed; twice as long after each further one.
pub const LINK_BACK_OFF_MIN_MS: u64 = 50;
/// The longest wait between two attempts to connect.
pub const LINK_BACK_OFF_MAX_MS: u64 = 1_000;
/// Wait after a peer has refused a connection for a reason that somebody has to remove.
pub const LINK_REFUSED_BACK_OFF_MS: u64 = 5_000;
/// A connection that lasted this long was a good one: the next wait is the shortest again.
pub const LINK_STEADY_MS: u64 = 5_000;
/// Nodes whose starts and sessions a node keeps apart. Reached: further ones are refused as busy.
pub const LINK_NODES_MAX: usize = 1024;
/// Streams of one start of a node whose sessions a node keeps apart: two for each of its shards and the quorum's. With few
/// sets of followers for a shard, that is 250 shards and more. Reached: further ones are refused as busy.
pub const LINK_STREAMS_PER_NODE_MAX: usize = 512;
/// Warnings of connections to the cluster port that are refused come no more often; the next one tells how many were left
/// out.
pub const LINK_REFUSAL_WARNING_MS: u64 = 10_000;
/// Memory for a frame's body that is taken before more than the frame's header has arrived, and at least with each step
/// then; steps double what has arrived.
pub const LINK_BODY_STEP_BYTES: usize = 64 << 10;
/// Connections to the cluster port that control serves. Reached: further ones wait in the listener's queue.
pub const LINK_CONNECTIONS_MAX: usize = 256;
/// The quorum's frames that wait for a peer to take them. Reached: the oldest are dropped.
pub const LINK_QUORUM_FRAMES_MAX: usize = 256;
/// The same in bytes, if it is not a single frame.
pub const LINK_QUORUM_BYTES_MAX: usize = 32 << 20;
/// Memory for the quorum's frames that a connection keeps from one to the next. What a longer one took is given back.
pub const LINK_QUORUM_BODY_BYTES_KEPT: usize = 2 << 20;
/// The quorum's messages that have arrived and that the member has not looked at. Reached: connections are not read.
pub const LINK_ARRIVALS_MAX: usize = 16;
/// Time for a peer to take a frame. Reached: the connection is given up.
pub const LINK_WRITE_MS: u64 = 10_000;
/// Time after which a connection is given up whose peer's machine does not confirm what was sent.
pub const LINK_UNCONFIRMED_MS: u32 = 5_000;
/// Silence on an open connection after which its peer's machine is asked for a sign of life; and after three more of
/// them without one, the connection is given up.
pub const LINK_KEEP_ALIVE_S: u64 = 10;
/// A question to control of another node or its answer, encoded. A longer one is not sent, and refused as too much at
/// once; one that arrives closes its connection.
pub const CONTROL_FRAME_BYTES_MAX: usize = 16 << 20;
/// Memory for such a frame that a connection keeps from one to the next. What a longer one took is given back.
pub const CONTROL_FRAME_BYTES_KEPT: usize = 64 << 10;
/// Questions of other nodes that wait for control. Reached: their connections wait.
pub const CONTROL_QUESTIONS_MAX: usize = 64;
/// Time for the controller to answer a question, the change of metadata that it asks for included. Reached: the
/// connection is given up, and the outcome is not known.
pub const CONTROL_CALL_MS: u64 = 5_000;
/// Time in which a node looks for a controller that takes its command. Reached: the command is refused.
pub const CONTROL_ROUTING_MS: u64 = 10_000;
/// Wait before a node asks again that found no controller.
pub const CONTROL_RETRY_MS: u64 = 100;
/// Time between two heartbeats of a node to the controller; three may be lost before its session ends.
pub const NODE_HEARTBEAT_MS: u64 = 500;
const _: () = assert!(3 * NODE_HEARTBEAT_MS < NODE_SESSION_TIMEOUT_MS);
/// How long a node may read to clients what it leads, from the question of its last heartbeat that was answered on. Less
/// than a session by more than the time for which a controller that was cut off may not know it: the one after it counts
/// sessions from its own beginning.
pub const NODE_LEASE_MS: u64 = NODE_SESSION_TIMEOUT_MS - 600;
const _: () = assert!(2 * NODE_HEARTBEAT_MS < NODE_LEASE_MS, "one heartbeat may be lost");
/// Patience with one heartbeat. Reached: the next one is sent, to another node if there is reason to.
pub const NODE_HEARTBEAT_PATIENCE_MS: u64 = 2 * NODE_HEARTBEAT_MS;
/// Time after which the names in other nodes' cluster addresses are looked up again.
pub const PEER_NAMES_AGAIN_MS: u64 = 30_000;
/// A tick of the quorum: elections take 10 to 20 of them, a leader's heartbeats come every other one.
pub const QUORUM_TICK_MS: u64 = 50;
/// What a pause of the controller counts for at most when it judges who is silent, in ms: some ticks. Longer: it could not
/// hear anybody.
pub const CONTROLLER_DEAF_MS_MAX: u64 = 200;
const _: () = assert!(QUORUM_TICK_MS < CONTROLLER_DEAF_MS_MAX);
const _: () = assert!(
    CONTROLLER_DEAF_MS_MAX + NODE_HEARTBEAT_MS < NODE_SESSION_TIMEOUT_MS,
    "a node that is heard every time survives a pause"
);
