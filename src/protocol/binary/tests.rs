//! Headers as clients send them, well and ill formed.

use super::*;
use crate::protocol::fuzz;

/// A header of these parts.
fn header(code: u8, key: u16, extras: u8, body: u32) -> Vec<u8> {
    let mut bytes = vec![MAGIC_REQUEST, code];
    bytes.extend_from_slice(&key.to_be_bytes());
    bytes.extend_from_slice(&[extras, 0, 0, 0]);
    bytes.extend_from_slice(&body.to_be_bytes());
    bytes.extend_from_slice(&0x0102_0304_u32.to_be_bytes());
    bytes.extend_from_slice(&9_u64.to_be_bytes());
    bytes
}

fn refused(code: u8, key: u16, extras: u8, body: u32) -> Option<Status> {
    match decode(&header(code, key, extras, body)) {
        Err(Refusal::Close(echo, status)) => {
            assert_eq!((echo.opcode, echo.opaque), (code, 0x0102_0304));
            Some(status)
        }
        Err(Refusal::HangUp) => panic!("hung up"),
        Ok(header) => {
            let header = header.expect("a whole header");
            assert_eq!(header.size(), HEADER_SIZE + body as usize);
            assert_eq!(header.cas, 9);
            None
        }
    }
}

#[test]
fn every_opcode_has_its_number_and_its_quiet_twin_asks_the_same() {
    for opcode in Opcode::ALL {
        assert_eq!(Opcode::from_code(*opcode as u8), Some(*opcode));
    }
    let twins = [
        (0x00, 0x09),
        (0x01, 0x11),
        (0x02, 0x12),
        (0x03, 0x13),
        (0x04, 0x14),
        (0x05, 0x15),
        (0x06, 0x16),
        (0x07, 0x17),
        (0x08, 0x18),
        (0x0c, 0x0d),
        (0x0e, 0x19),
        (0x0f, 0x1a),
        (0x1d, 0x1e),
        (0x23, 0x24),
        (0x60, 0x61),
        (0x62, 0x63),
        (0x64, 0x65),
        (0x66, 0x67),
    ];
    for (loud, quiet) in twins {
        let [loud, quiet] = [loud, quiet].map(|code| Opcode::from_code(code).expect("known"));
        assert_eq!(loud.verb(), quiet.verb());
        assert!(!loud.is_quiet() && quiet.is_quiet());
    }
    let quiet = Opcode::ALL.iter().filter(|opcode| opcode.is_quiet());
    assert_eq!(quiet.count(), twins.len());
    for code in [0x1b, 0x1f, 0x25, 0x30, 0x3f, 0x40, 0x68, 0x7f, 0xff] {
        assert_eq!(Opcode::from_code(code), None);
    }
}

#[test]
fn sizes_that_contradict_each_other_are_told_from_the_header() {
    for code in [0x00, 0x01, 0x05, 0x0a, 0x10, 0x21, 0x7f] {
        assert_eq!(refused(code, 10, 8, 17), Some(Status::Unknown));
        assert_eq!(refused(code, u16::MAX, u8::MAX, 0), Some(Status::Unknown));
    }
}

#[test]
fn bodies_beyond_a_gigabyte_are_refused_from_the_header() {
    for code in [
        0x01, 0x02, 0x03, 0x0e, 0x0f, 0x11, 0x12, 0x13, 0x19, 0x1a, 0x21, 0x22, 0x7f,
    ] {
        for body in [0x4000_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffe8, u32::MAX] {
            assert_eq!(
                refused(code, 1, 8, body),
                Some(Status::Invalid),
                "{code:#x}"
            );
        }
    }
}

#[test]
fn shapes_are_those_of_the_opcode() {
    // Sizes of key, extras and value that each kind takes.
    let plain: (&[u16], &[u8], &[u32]) = (&[1, 250], &[0], &[0]);
    let store: (&[u16], &[u8], &[u32]) = (&[1, 250], &[8], &[0, 1, 1 << 20]);
    let append: (&[u16], &[u8], &[u32]) = (&[1, 250], &[0], &[0, 1, 1 << 20]);
    let count: (&[u16], &[u8], &[u32]) = (&[1, 250], &[20], &[0]);
    let config: (&[u16], &[u8], &[u32]) = (&[1, 250], &[4], &[0, 1, 1 << 20]);
    let touch: (&[u16], &[u8], &[u32]) = (&[1, 250], &[4], &[0]);
    let bare: (&[u16], &[u8], &[u32]) = (&[0], &[0], &[0]);
    let flush: (&[u16], &[u8], &[u32]) = (&[0], &[0, 4], &[0]);
    let stat: (&[u16], &[u8], &[u32]) = (&[0, 1, 250], &[0], &[0]);
    for opcode in Opcode::ALL {
        let (keys, extras, values) = match *opcode as u8 {
            0x60..=0x63 | 0x66 | 0x67 => plain,
            0x64 | 0x65 => config,
            0x00 | 0x09 | 0x0c | 0x0d | 0x04 | 0x14 => plain,
            0x01..=0x03 | 0x11..=0x13 => store,
            0x05 | 0x06 | 0x15 | 0x16 => count,
            0x07 | 0x17 | 0x0a | 0x0b | 0x20 => bare,
            0x08 | 0x18 => flush,
            0x0e | 0x0f | 0x19 | 0x1a | 0x21 | 0x22 => append,
            0x10 => stat,
            0x1c..=0x1e | 0x23 | 0x24 => touch,
            other => panic!("{other:#x} has no shape"),
        };
        for key in [0, 1, 250, 251, u16::MAX] {
            for extra in [0, 4, 8, 20, 30, u8::MAX] {
                for value in [0, 1, 1 << 20] {
                    let body = u32::from(key) + u32::from(extra) + value;
                    let fits =
                        keys.contains(&key) && extras.contains(&extra) && values.contains(&value);
                    let wanted = if fits { None } else { Some(Status::Invalid) };
                    let got = refused(*opcode as u8, key, extra, body);
                    assert_eq!(got, wanted, "{opcode:?} {key} {extra} {value}");
                }
            }
        }
    }
}

#[test]
fn an_unknown_command_may_have_any_shape_that_adds_up() {
    for code in [0x1b, 0x1f, 0x3f, 0x40, 0x7f, 0xff] {
        assert_eq!(refused(code, 3, 5, 8), None);
        assert_eq!(refused(code, 0, 255, 1 << 20), None);
    }
}

#[test]
fn the_first_byte_decides_whether_this_is_the_protocol() {
    assert_eq!(decode(b""), Ok(None));
    assert_eq!(decode(&[MAGIC_REQUEST; 23]), Ok(None));
    for magic in [0x00, 0x81, 0x82, b'v', 0xff] {
        assert_eq!(decode(&[magic]), Err(Refusal::HangUp));
    }
}

#[test]
fn extras_are_read_where_they_stand() {
    let mut bytes = header(0x05, 1, 20, 21);
    bytes.extend_from_slice(&7_u64.to_be_bytes());
    bytes.extend_from_slice(&8_u64.to_be_bytes());
    bytes.extend_from_slice(&60_u32.to_be_bytes());
    bytes.push(b'k');
    let decoded = decode(&bytes).expect("a shape").expect("a header");
    let head = decoded.head(&bytes);
    assert_eq!((head.key, head.delta()), (&b"k"[..], 7));
    assert_eq!(head.initial(), Some((60, 8)));
    bytes[40..44].copy_from_slice(&[0xff; 4]);
    assert_eq!(decoded.head(&bytes).initial(), None);
    assert_eq!(decoded.head(&bytes[..44]), Head::default());
}

#[test]
fn replies_are_laid_out_as_the_protocol_says() {
    let echo = Echo {
        opcode: 0x0c,
        opaque: 0xdead_beef,
    };
    let mut out = Vec::new();
    reply::hit(&mut out, echo, 5, b"key", 2, 0x0102);
    assert_eq!(
        out,
        b"\x81\x0c\0\x03\x04\0\0\0\0\0\0\x09\xde\xad\xbe\xef\0\0\0\0\0\0\x01\x02\0\0\0\x05key"
    );
    for status in &Status::ALL[1..] {
        let mut out = Vec::new();
        reply::error(&mut out, echo, *status);
        assert_eq!(out[..6], [0x81, 0x0c, 0, 0, 0, 0]);
        assert_eq!(out[6..8], (*status as u16).to_be_bytes());
        assert_eq!(usize::from(out[11]), status.text().len());
        assert_eq!(&out[HEADER_SIZE..], status.text());
        assert_eq!(out[16..24], [0; 8]);
    }
    let mut out = Vec::new();
    reply::miss_with_key(&mut out, echo, b"key");
    assert_eq!(out[2..12], [0, 3, 0, 0, 0, 1, 0, 0, 0, 3]);
    assert_eq!(&out[HEADER_SIZE..], b"key");
}

#[test]
fn what_is_decided_early_stays_decided() {
    for code in 0..=u8::MAX {
        for (key, extras, body) in [(0, 0, 0), (1, 8, 12), (3, 4, 7), (9, 9, 9), (1, 0, 1)] {
            let mut bytes = header(code, key, extras, body);
            bytes.extend_from_slice(&[b'x'; 14]);
            fuzz::packets(&bytes);
        }
    }
    fuzz::packets(b"\x81\x0a\0\0");
    fuzz::packets(b"version\r\n");
    fuzz::packets(&[0xff; 64]);
    fuzz::packets(&[MAGIC_REQUEST; 64]);
}
