//! Any sequence of frames leaves a gateway that answers, within its bounds. Nothing is dialled: see `Link::target`.
#![no_main]

use gateway::config::sample;
use gateway::gateway::Gateway;
use libfuzzer_sys::fuzz_target;

const ARP: &[u8] = &[
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 73, 0, 2, 0, 0, 0, 0, 0, 0,
    10, 73, 0, 1,
];

fuzz_target!(|input: &[u8]| {
    let mut config = sample();
    // Nobody is there; a query over TCP is looked at all the same.
    config.name_servers = vec![([127, 0, 0, 1], 9).into()];
    config.host_access.ports.clear();
    let mut gateway = Gateway::new(config, 1).expect("an event queue");
    let mut rest = input;
    // Frames behind their length, in one byte; every other one gets the guest's addresses, so that it gets further.
    while let Some((&length, after)) = rest.split_first() {
        let (frame, after) = after.split_at(usize::from(length).min(after.len()));
        let mut frame = frame.to_vec();
        if length % 2 == 0 && frame.len() >= 34 {
            frame[..12].copy_from_slice(&ARP[..12]);
            match frame[12] & 3 {
                0 => {
                    frame[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
                    let address = sample().guest.ipv6.octets();
                    if frame.len() >= 54 {
                        let payload = (frame.len() - 54) as u16;
                        frame[18..20].copy_from_slice(&payload.to_be_bytes());
                        frame[22..38].copy_from_slice(&address);
                    }
                }
                _ => {
                    let total = (frame.len() - 14) as u16;
                    frame[12..15].copy_from_slice(&[8, 0, 0x45]);
                    frame[16..18].copy_from_slice(&total.to_be_bytes());
                    frame[20..22].fill(0);
                    frame[26..30].copy_from_slice(&[10, 73, 0, 2]);
                    if frame[33] & 1 == 0 {
                        frame[30..34].copy_from_slice(&[10, 73, 0, 1]);
                    }
                }
            }
        }
        gateway.frame(&frame);
        gateway.work();
        rest = after;
    }
    assert!(gateway.link.out.len() < 4 << 20);
    gateway.link.out.clear();
    gateway.frame(ARP);
    assert_eq!(gateway.link.out.frames().len(), 1);
});
