//! AMF0: what commands and metadata are written in.
#![no_main]

use bytes::BytesMut;
use golive::flv::amf0::{Value, read};
use libfuzzer_sys::fuzz_target;

fn write(values: &[Value]) -> BytesMut {
    let mut bytes = BytesMut::new();
    values.iter().for_each(|value| value.put(&mut bytes));
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(values) = read(bytes) else { return };
    // What is understood can be told again, and means the same. Bytes are compared: no NaN equals another.
    let written = write(&values);
    if let Ok(again) = read(&written) {
        assert_eq!(write(&again), written);
    }
});
