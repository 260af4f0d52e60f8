//! What is written is read again, and what others write, within bounds.

use bytes::{Bytes, BytesMut};

use super::reader::{ChunkError, ChunkReader, MAX_COMMAND, MAX_MEDIA, MAX_STREAMS, Message};
use super::writer::{Header, put_message};
use crate::rtmp::message_type::{AUDIO, COMMAND, VIDEO};

fn message(message_type: u8, timestamp: u32, body: &[u8]) -> Message {
    Message {
        message_type,
        stream_id: 1,
        timestamp,
        body: Bytes::copy_from_slice(body),
    }
}

fn written(messages: &[Message], chunk_size: usize) -> BytesMut {
    let mut out = BytesMut::new();
    for message in messages {
        let header = Header {
            chunk_stream: 4,
            timestamp: message.timestamp,
            message_type: message.message_type,
            stream_id: message.stream_id,
        };
        put_message(&mut out, header, &[&message.body], chunk_size);
    }
    out
}

/// Everything in `bytes`, handed over in pieces.
fn read(reader: &mut ChunkReader, bytes: &[u8], piece: usize) -> Result<Vec<Message>, ChunkError> {
    let mut messages = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while let Some(message) = reader.next(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty(), "all of it was used");
    }
    Ok(messages)
}

fn read_all(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    read(&mut ChunkReader::default(), bytes, usize::MAX)
}

/// A full header: chunk stream 4 or any other, message stream 1.
fn header(chunk_stream: u8, time: u32, length: u32, message_type: u8) -> Vec<u8> {
    let (time, length) = (time.to_be_bytes(), length.to_be_bytes());
    [
        &[chunk_stream],
        &time[1..],
        &length[1..],
        &[message_type, 1, 0, 0, 0],
    ]
    .concat()
}

#[test]
fn what_is_written_is_read_again_however_it_is_cut() {
    let messages = [
        message(VIDEO, 0, &[1; 1_000]),
        message(AUDIO, 0xff_fffe, &[2; 128]),
        message(VIDEO, 0xff_ffff, &[3; 300]),
        message(COMMAND, u32::MAX, &[]),
        message(VIDEO, u32::MAX - 1, &[4; 129]),
    ];
    let bytes = written(&messages, 128);
    for piece in [1, 2, 3, 7, 128, 129, usize::MAX] {
        let read = read(&mut ChunkReader::default(), &bytes, piece).unwrap();
        assert_eq!(read, messages, "pieces of {piece}");
    }
}

#[test]
fn another_implementation_reads_extended_timestamps_in_every_chunk() {
    let bytes = written(&[message(VIDEO, 20_000_000, &[5; 300])], 128);
    let mut other = rml_rtmp::chunk_io::ChunkDeserializer::new();
    let read = other.get_next_message(&bytes).unwrap().unwrap();
    assert_eq!(read.timestamp.value, 20_000_000);
    assert_eq!(&read.data[..], [5; 300]);
}

#[test]
fn shorter_headers_take_over_what_they_leave_out() {
    let bytes = [
        &header(4, 1_000, 1, VIDEO)[..],
        b"a",
        // Type 1: 20 ms later, another length and type.
        &[0x44, 0, 0, 20, 0, 0, 2, AUDIO],
        b"bb",
        // Type 2: 30 ms later.
        &[0x84, 0, 0, 30],
        b"cc",
        // Type 3: as much later again.
        &[0xc4],
        b"dd",
    ]
    .concat();
    let expected = [
        message(VIDEO, 1_000, b"a"),
        message(AUDIO, 1_020, b"bb"),
        message(AUDIO, 1_050, b"cc"),
        message(AUDIO, 1_080, b"dd"),
    ];
    assert_eq!(read_all(&bytes).unwrap(), expected);
}

#[test]
fn a_type_3_header_behind_a_full_one_adds_the_full_ones_time() {
    let bytes = [&header(4, 33, 1, VIDEO)[..], b"a\xc4b"].concat();
    assert_eq!(read_all(&bytes).unwrap()[1].timestamp, 66);
}

#[test]
fn times_wrap_around() {
    let extended = (u32::MAX - 9).to_be_bytes();
    let bytes = [
        &header(4, 0xff_ffff, 1, VIDEO)[..],
        &extended,
        b"a",
        &[0x84, 0, 0, 20],
        b"b",
    ]
    .concat();
    assert_eq!(read_all(&bytes).unwrap()[1].timestamp, 10);
}

#[test]
fn extended_timestamps_may_be_missing_in_continuing_chunks() {
    let mut body = [7; 300];
    body[299] = 8;
    let (first, rest) = body.split_at(128);
    let (second, third) = rest.split_at(128);
    let start = [
        &header(4, 0xff_ffff, 300, VIDEO)[..],
        &20_000_000_u32.to_be_bytes(),
    ]
    .concat();
    let bytes = [&start, first, b"\xc4", second, b"\xc4", third, &start].concat();
    for piece in [1, usize::MAX] {
        let read = read(&mut ChunkReader::default(), &bytes, piece).unwrap();
        assert_eq!(read, [message(VIDEO, 20_000_000, &body)]);
    }
}

#[test]
fn a_short_end_is_read_as_the_chunks_before_it_were() {
    // 257 bytes: the third chunk has one, too few to compare with a time stamp.
    let time = 20_000_000_u32.to_be_bytes();
    let start = [&header(4, 0xff_ffff, 257, VIDEO)[..], &time].concat();
    let part = [7; 128];
    let without = [&start, &part[..], b"\xc4", &part, b"\xc4\x07"].concat();
    let with = [
        &start,
        &part[..],
        b"\xc4",
        &time,
        &part,
        b"\xc4",
        &time,
        b"\x07",
    ]
    .concat();
    for bytes in [
        [&without[..], &without].concat(),
        [&with[..], &with].concat(),
    ] {
        let read = read_all(&bytes).unwrap();
        assert_eq!(
            read,
            [
                message(VIDEO, 20_000_000, &[7; 257]),
                message(VIDEO, 20_000_000, &[7; 257])
            ]
        );
    }
}

#[test]
fn messages_on_several_chunk_streams_may_be_interleaved() {
    let bytes = [
        &header(4, 0, 200, VIDEO)[..],
        &[1; 128],
        &header(5, 10, 130, AUDIO),
        &[2; 128],
        b"\xc4",
        &[1; 72],
        b"\xc5",
        &[2; 2],
    ]
    .concat();
    for piece in [1, usize::MAX] {
        let read = read(&mut ChunkReader::default(), &bytes, piece).unwrap();
        assert_eq!(
            read,
            [message(VIDEO, 0, &[1; 200]), message(AUDIO, 10, &[2; 130])]
        );
    }
}

#[test]
fn chunk_stream_ids_may_take_two_or_three_bytes() {
    let fields = &header(0, 0, 1, AUDIO)[1..];
    let bytes = [
        &[0, 200][..],
        fields,
        b"a",
        &[1, 0, 1],
        fields,
        b"b",
        &[0xc0, 200],
        b"c",
    ]
    .concat();
    let bodies: Vec<_> = read_all(&bytes)
        .unwrap()
        .into_iter()
        .map(|m| m.body)
        .collect();
    assert_eq!(bodies, [&b"a"[..], b"b", b"c"]);
}

#[test]
fn the_chunk_size_may_change_between_messages() {
    let mut bytes = written(&[message(VIDEO, 0, &[1; 300])], 128);
    bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0x10, 0]);
    bytes.extend_from_slice(&written(&[message(VIDEO, 40, &[2; 5_000])], 4_096));
    let read = read(&mut ChunkReader::default(), &bytes, 1_000).unwrap();
    assert_eq!(
        read,
        [
            message(VIDEO, 0, &[1; 300]),
            message(VIDEO, 40, &[2; 5_000])
        ]
    );
}

#[test]
fn a_chunk_size_of_nothing_or_of_two_gigabytes_is_refused() {
    for size in [0, 0x8000_0000_u32] {
        let bytes = [
            &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..],
            &size.to_be_bytes(),
        ]
        .concat();
        assert_eq!(read_all(&bytes), Err(ChunkError::ChunkSize(size)));
    }
}

#[test]
fn an_aborted_message_does_not_come_out() {
    let bytes = [
        &header(4, 20, 200, VIDEO)[..],
        &[1; 128],
        &[2, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 4],
        // Without the abort this would be the rest of the first.
        b"\xc4",
        &[2; 128],
        b"\xc4",
        &[2; 72],
    ]
    .concat();
    assert_eq!(read_all(&bytes).unwrap(), [message(VIDEO, 40, &[2; 200])]);
}

#[test]
fn a_new_header_within_a_message_begins_another() {
    let bytes = [
        &header(4, 0, 200, VIDEO)[..],
        &[1; 128],
        &header(4, 40, 1, VIDEO),
        b"a",
    ]
    .concat();
    assert_eq!(read_all(&bytes).unwrap(), [message(VIDEO, 40, b"a")]);
}

#[test]
fn a_message_over_its_limit_is_refused_by_its_header() {
    let begin = |length: usize, message_type, media: bool| {
        let mut reader = ChunkReader::default();
        if media {
            reader.allow_media();
        }
        read(&mut reader, &header(4, 0, length as u32, message_type), 100)
    };
    let refused = |length, limit| Err(ChunkError::TooLong { length, limit });
    let over = MAX_COMMAND + 1;
    assert_eq!(begin(over, COMMAND, false), refused(over, MAX_COMMAND));
    assert_eq!(begin(over, COMMAND, true), refused(over, MAX_COMMAND));
    assert_eq!(begin(over, VIDEO, false), refused(over, MAX_COMMAND));
    assert_eq!(begin(MAX_MEDIA, VIDEO, true), Ok(vec![]));
    assert_eq!(
        begin(MAX_MEDIA + 1, VIDEO, true),
        refused(MAX_MEDIA + 1, MAX_MEDIA)
    );
}

#[test]
fn chunks_of_16_megabytes_allocate_nothing_before_they_come() {
    let size = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    let bytes = [&size[..], &header(4, 0, MAX_MEDIA as u32, VIDEO), b"a"].concat();
    let mut reader = ChunkReader::default();
    reader.allow_media();
    let used = allocation_counter::measure(|| {
        assert!(read(&mut reader, &bytes, usize::MAX).unwrap().is_empty());
    });
    assert!(used.bytes_max < 8_192, "{} bytes", used.bytes_max);
}

#[test]
fn unfinished_messages_are_bounded_in_number_and_in_sum() {
    let mut reader = ChunkReader::default();
    let begun = |stream: u8| {
        [
            &header(stream, 0, MAX_COMMAND as u32, COMMAND)[..],
            &[0; 128],
        ]
        .concat()
    };
    for stream in 2..64 {
        read(&mut reader, &begun(stream), usize::MAX).unwrap();
    }
    let more = |id: u8| [&[0, id][..], &begun(0)[1..]].concat();
    for id in 0..MAX_STREAMS as u8 - 62 {
        read(&mut reader, &more(id), usize::MAX).unwrap();
    }
    assert_eq!(
        read(&mut reader, &more(2), usize::MAX),
        Err(ChunkError::TooManyStreams)
    );

    let mut reader = ChunkReader::default();
    let long = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    read(&mut reader, &long, usize::MAX).unwrap();
    let nearly = |stream| [&header(stream, 0, 65_536, COMMAND)[..], &[0; 65_535]].concat();
    read(&mut reader, &nearly(3), usize::MAX).unwrap();
    read(&mut reader, &nearly(4), usize::MAX).unwrap();
    let limit = 2 * MAX_COMMAND;
    let third = read(&mut reader, &nearly(5), usize::MAX);
    assert_eq!(third, Err(ChunkError::TooMuchUnfinished { limit }));
}

#[test]
fn a_header_that_refers_to_nothing_is_refused() {
    assert_eq!(read_all(&[0xc4]), Err(ChunkError::NoHeader));
    assert_eq!(read_all(&[0x84, 0, 0, 0]), Err(ChunkError::NoHeader));
}
