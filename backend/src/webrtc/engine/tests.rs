//! What a viewer and its client say to each other.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rtc::crypto::default_provider;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_ERROR, BINDING_SUCCESS, Getter};
use rtc::stun::xoraddr::XorMappedAddress;

use super::probe::picture;
use super::testing::{CM, GCM, PLI, Pair, Wire, padded_picture, path, sequence, straight};
use super::transport::{CONNECT, CONSENT, Ended};
use super::viewer::{Event, RTX_SSRC, VIDEO_SSRC};
use crate::media::access_unit::TrackKind;
use crate::media::time::MediaTime;

#[test]
fn a_check_is_answered_with_where_it_came_from() {
    let mut pair = Pair::new(GCM);
    let mut answer = pair.check(1, &[ATTR_ICE_CONTROLLING]).unwrap();
    assert_eq!(answer.typ, BINDING_SUCCESS);
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&answer).unwrap();
    assert_eq!(SocketAddr::new(mapped.ip, mapped.port), path(1).remote());
    let crypto = default_provider().unwrap();
    MessageIntegrity::check(&mut answer, b"secret", crypto.crypto()).unwrap();
}

#[test]
fn a_check_that_is_not_signed_rightly_is_not_answered() {
    let mut pair = Pair::new(GCM);
    let check = pair.client.check("a guess", &[ATTR_USE_CANDIDATE]);
    pair.handle(path(1), &check);
    assert!(pair.transmits().is_empty());
    assert_eq!(pair.viewer.path(), None);
}

#[test]
fn a_client_that_would_be_controlled_is_told_to_change_its_role() {
    let mut pair = Pair::new(GCM);
    let answer = pair.check(1, &[ATTR_ICE_CONTROLLED]).unwrap();
    assert_eq!(answer.typ, BINDING_ERROR);
    assert_eq!(pair.viewer.path(), None);
}

#[test]
fn media_is_decrypted_with_either_profile() {
    for profile in [GCM, CM] {
        let mut pair = Pair::connected(profile);
        let packets = pair.send(&picture(100_000, 3_000));
        assert_eq!(packets.len(), 3);
        for (number, packet) in (0..).zip(&packets) {
            let opened = pair.client.open(packet);
            assert_eq!(opened[0], 0x80);
            assert_eq!(opened[1], if number == 2 { 0x80 | 98 } else { 98 });
            assert_eq!(
                sequence(&opened),
                u16::try_from(100_000 % 32_768).unwrap() + number
            );
            assert_eq!(opened[8..12], VIDEO_SSRC.to_be_bytes());
        }
    }
}

#[test]
fn two_sounds_in_a_packet_are_not_for_a_viewer_who_did_not_ask_for_them() {
    let mut pair = Pair::connected(GCM);
    let mut sound = |first, is_pair| {
        let mut burst = picture(first, 100);
        burst.units[0].kind = TrackKind::Audio;
        burst.units[0].is_pair = is_pair;
        let packets = pair.send(&burst);
        packets
            .iter()
            .map(|packet| sequence(packet))
            .collect::<Vec<_>>()
    };
    assert_eq!(sound(7, false), [7]);
    assert!(sound(8, true).is_empty());
    assert_eq!(sound(9, false), [8]);
}

#[test]
fn media_is_decrypted_across_a_rollover() {
    for profile in [GCM, CM] {
        let mut pair = Pair::connected(profile);
        let mut picture = picture(0, 100);
        for number in 32_760..65_560 {
            picture.units[0].first = number;
            let packets = pair.send(&picture);
            assert_eq!(pair.client.open(&packets[0])[12..], [0x41; 100]);
        }
    }
}

#[test]
fn a_handshake_survives_loss_reordering_and_duplicates() {
    let mut count = 0;
    let mut each_third_is_lost = |flight: Vec<Bytes>| {
        let arrives = |_: &Bytes| {
            count += 1;
            count % 3 != 0
        };
        flight.into_iter().filter(arrives).collect()
    };
    let mut reversed = |mut flight: Vec<Bytes>| {
        flight.reverse();
        flight
    };
    let mut doubled = |flight: Vec<Bytes>| flight.iter().chain(&flight).cloned().collect();
    let wires: [(&str, Wire<'_>); 3] = [
        ("loss", &mut each_third_is_lost),
        ("reordering", &mut reversed),
        ("duplicates", &mut doubled),
    ];
    for (what, wire) in wires {
        let mut pair = Pair::new(GCM);
        pair.check(1, &[ATTR_USE_CANDIDATE]);
        pair.shake(wire);
        assert_eq!(pair.events.first(), Some(&Event::Connected), "{what}");
    }
}

#[test]
fn a_client_with_another_certificate_is_refused() {
    let mut pair = Pair::with(GCM, None, false);
    pair.check(1, &[ATTR_USE_CANDIDATE]);
    pair.shake(&mut straight);
    assert_eq!(pair.events.first(), Some(&Event::Ended(Ended::Refused)));
    assert!(pair.send(&picture(0, 100)).is_empty(), "nothing is sent");
}

#[test]
fn whoever_passed_no_check_is_not_listened_to() {
    let mut pair = Pair::new(GCM);
    pair.check(1, &[ATTR_USE_CANDIDATE]);
    for datagram in pair.client.flight() {
        pair.handle(path(2), &datagram);
    }
    assert!(pair.transmits().is_empty());
}

#[test]
fn a_report_is_heard_once() {
    let mut pair = Pair::connected(GCM);
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe]);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events.len(), 1, "a replay says nothing");
}

#[test]
fn a_forged_report_is_not_heard() {
    let mut pair = Pair::connected(GCM);
    let mut pli = pair.client.rtcp(&PLI);
    pli[9] ^= 1;
    pair.handle(path(1), &pli);
    pair.handle(path(1), &PLI);
    for length in 0..pli.len() {
        pair.handle(path(1), &pli[..length]);
    }
    assert_eq!(pair.events, []);
}

#[test]
fn forged_sources_do_not_shut_out_the_real_one() {
    let mut pair = Pair::connected(GCM);
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    for source in 0..1_000u32 {
        let mut forged = pair.client.rtcp(&PLI);
        forged[4..8].copy_from_slice(&(source + 1_000).to_be_bytes());
        pair.handle(path(1), &forged);
    }
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe; 2]);
}

#[test]
fn media_follows_a_client_whose_address_changes() {
    let mut pair = Pair::connected(GCM);
    assert_eq!(pair.viewer.path(), Some(path(1)));
    pair.check(2, &[ATTR_ICE_CONTROLLING]);
    assert_eq!(pair.viewer.path(), Some(path(1)), "not nominated");
    pair.check(2, &[ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE]);
    assert_eq!(pair.viewer.path(), Some(path(2)));
    let forged = pair.client.check("a guess", &[ATTR_USE_CANDIDATE]);
    pair.handle(path(3), &forged);
    assert_eq!(pair.viewer.path(), Some(path(2)));
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(2), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe]);
}

#[test]
fn many_addresses_do_not_shut_out_the_one_in_use() {
    let mut pair = Pair::connected(GCM);
    for port in 2..100 {
        pair.check(port, &[ATTR_ICE_CONTROLLING]);
    }
    let pli = pair.client.rtcp(&PLI);
    pair.handle(path(1), &pli);
    assert_eq!(pair.events, [Event::NeedsKeyframe]);
}

#[test]
fn a_client_that_does_not_connect_is_given_up() {
    let mut pair = Pair::new(GCM);
    let early = pair.now + CONNECT - Duration::from_millis(1);
    assert_eq!(pair.viewer.handle_timeout(early), None);
    let late = pair.now + CONNECT;
    let ended = Some(Event::Ended(Ended::Silent));
    assert_eq!(pair.viewer.handle_timeout(late), ended);
}

#[test]
fn a_client_that_no_longer_consents_is_sent_nothing_more() {
    let mut pair = Pair::connected(GCM);
    pair.now += CONSENT - Duration::from_secs(1);
    pair.check(1, &[ATTR_ICE_CONTROLLING]);
    pair.now += CONSENT - Duration::from_secs(1);
    assert_eq!(pair.viewer.handle_timeout(pair.now), None);
    // Not even whoever knows the address can keep it alive.
    pair.handle(path(1), &PLI);
    pair.now += Duration::from_secs(1);
    let ended = Some(Event::Ended(Ended::Silent));
    assert_eq!(pair.viewer.handle_timeout(pair.now), ended);
}

#[test]
fn a_goodbye_ends_the_session() {
    let mut pair = Pair::connected(GCM);
    pair.client.endpoint.close(pair.now).unwrap();
    for datagram in pair.client.flight() {
        pair.handle(path(1), &datagram);
    }
    assert_eq!(pair.events, [Event::Ended(Ended::Closed)]);
}

#[test]
fn a_client_is_told_goodbye() {
    let mut pair = Pair::connected(GCM);
    pair.viewer.close(pair.now);
    for (_, datagram) in pair.transmits() {
        pair.client.read(pair.now, &datagram);
    }
    assert_eq!(pair.client.goodbyes, 1);
}

#[test]
fn what_is_missing_is_sent_again_in_a_stream_of_its_own() {
    let mut pair = Pair::connected(GCM);
    let sent = pair.send(&picture(0, 3_000));
    let originals: Vec<_> = sent.iter().map(|packet| pair.client.open(packet)).collect();
    let again = pair.retransmitted(picture(0, 3_000), 1);
    assert_eq!(again.len(), 2);
    for (number, packet) in (0..).zip(&again) {
        let opened = pair.client.open(packet);
        assert_eq!(opened[1] & 0x7f, 99);
        assert_eq!(opened[8..12], RTX_SSRC.to_be_bytes());
        assert_eq!(sequence(&opened), number);
        assert_eq!(opened[12..14], (number + 1).to_be_bytes());
        let original = &originals[usize::from(number) + 1];
        assert_eq!(opened[14..], original[12..]);
    }
}

#[test]
fn without_a_stream_for_it_the_same_packet_is_sent_again() {
    for profile in [GCM, CM] {
        let mut pair = Pair::with(profile, None, true);
        pair.check(1, &[ATTR_USE_CANDIDATE]);
        pair.shake(&mut straight);
        let sent = pair.send(&picture(0, 3_000));
        assert_eq!(pair.retransmitted(picture(0, 3_000), 1), sent[1..]);
    }
}

#[test]
fn a_packet_that_was_padded_is_the_same_when_it_is_sent_again() {
    let mut pair = Pair::with(GCM, None, true);
    pair.check(1, &[ATTR_USE_CANDIDATE]);
    pair.shake(&mut straight);
    let sent = pair.send(&padded_picture());
    let opened: Vec<_> = sent.iter().map(|packet| pair.client.open(packet)).collect();
    assert_eq!((opened[0][0], opened[2][0]), (0x80, 0xa0));
    assert_eq!(
        (opened[2].len(), opened[2].last()),
        (opened[0].len(), Some(&2))
    );
    assert_eq!(pair.retransmitted(padded_picture(), 1), sent[1..]);
}

#[test]
fn padding_is_neither_counted_nor_sent_again_in_the_stream_for_that() {
    let mut pair = Pair::connected(GCM);
    let sent = pair.send(&padded_picture());
    let original = pair.client.open(&sent[2]);
    let again = pair.retransmitted(padded_picture(), 1);
    let opened = pair.client.open(&again[1]);
    assert_eq!(opened[0], 0x80);
    assert_eq!(opened[14..], original[12..original.len() - 2]);
    let report = pair.viewer.report(pair.now, MediaTime::ZERO).unwrap();
    let (_, inbound) = pair.client.srtp.as_mut().unwrap();
    let opened = inbound.decrypt_rtcp(&report).unwrap();
    // NAL header and body, in three fragments with two bytes in front of each.
    assert_eq!(opened[24..28], (2_999 - 1 + 3 * 2u32).to_be_bytes());
}

#[test]
fn a_flood_of_wishes_is_not_granted() {
    let mut pair = Pair::connected(GCM);
    pair.send(&picture(0, 3_000));
    let mut granted = 0;
    for _ in 0..500 {
        granted += pair.retransmitted(picture(0, 3_000), 1).len();
    }
    assert_eq!(granted, 100);
}

#[test]
fn a_viewer_that_is_sent_something_gets_reports() {
    let mut pair = Pair::connected(GCM);
    assert_eq!(pair.viewer.report(pair.now, MediaTime::ZERO), None);
    pair.send(&picture(0, 3_000));
    let report = pair
        .viewer
        .report(pair.now, MediaTime::from_micros(1_000_000));
    let (_, inbound) = pair.client.srtp.as_mut().unwrap();
    let opened = inbound.decrypt_rtcp(&report.unwrap()).unwrap();
    assert_eq!(opened[16..20], 90_000u32.to_be_bytes());
    assert_eq!(opened[20..24], 3u32.to_be_bytes());
    assert_eq!(pair.viewer.report(pair.now, MediaTime::ZERO), None);
}

#[test]
fn reports_come_each_second_at_first_and_more_rarely_later() {
    let mut pair = Pair::connected(GCM);
    pair.send(&picture(0, 3_000));
    let mut is_reported = |second: u64| {
        let now = pair.now + Duration::from_secs(second);
        pair.viewer.report(now, MediaTime::ZERO).is_some()
    };
    let reported: Vec<_> = (0..20).filter(|&second| is_reported(second)).collect();
    assert_eq!(reported, [0, 1, 2, 3, 4, 5, 10, 15]);
}
