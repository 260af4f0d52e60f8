//! The chunk stream. The first byte says how the rest arrives: in pieces of so many bytes (the lower seven
//! bits), and whether media may come already (the highest).
#![no_main]

use golive::rtmp::chunk::reader::{ChunkError, ChunkReader, MAX_MEDIA, Message};
use libfuzzer_sys::fuzz_target;

fn read<'a>(
    media: bool,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<ChunkError>) {
    let (mut reader, mut messages) = (ChunkReader::default(), Vec::new());
    if media {
        reader.allow_media();
    }
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(piece.is_empty(), "nothing may be left behind");
    }
    (messages, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, bytes)) = input.split_first() else {
        return;
    };
    let (media, piece) = (how & 0x80 != 0, usize::from(how & 0x7f).max(1));
    let (whole, error) = read(media, std::iter::once(bytes));
    let total: usize = whole.iter().map(|message| message.body.len()).sum();
    assert!(total <= bytes.len());
    assert!(whole.iter().all(|message| message.body.len() <= MAX_MEDIA));
    // However the bytes arrive, the messages are the same.
    assert_eq!(read(media, bytes.chunks(piece)), (whole, error));
});
