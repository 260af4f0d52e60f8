//! What viewers say: connectivity checks, and RTCP behind its encryption.
#![no_main]

use std::cell::{LazyCell, RefCell};

use golive::webrtc::Ear;
use libfuzzer_sys::fuzz_target;

/// Packets that a viewer may have sent again at a time.
const RETRANSMISSIONS: usize = 100;

thread_local! {
    static EAR: LazyCell<RefCell<Ear>> =
        LazyCell::new(|| RefCell::new(Ear::new().expect("there is cryptography")));
}

fuzz_target!(|datagram: &[u8]| {
    EAR.with(|ear| {
        assert!(ear.borrow_mut().hear(datagram) <= RETRANSMISSIONS);
    });
});
