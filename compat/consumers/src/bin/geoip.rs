//! A MaxMind database, mapped.

use std::net::IpAddr;

use maxminddb::Reader;
use serde::Deserialize;

#[derive(Deserialize)]
struct Network<'a> {
    name: &'a str,
}

fn main() -> std::process::ExitCode {
    consumers::run(|dir| {
        // SAFETY: nobody changes the file.
        let reader = unsafe { Reader::open_mmap(dir.join("networks.mmdb")) }?;
        println!("{}, {} nodes", reader.metadata().database_type, reader.metadata().node_count);
        for address in ["10.0.0.1", "10.1.0.1", "172.16.31.4", "192.168.1.1", "8.8.8.8"] {
            let found = reader.lookup(address.parse::<IpAddr>()?)?;
            match found.decode::<Network>()? {
                Some(network) => println!("{address}: {}", network.name),
                None => println!("{address}: none"),
            }
        }
        Ok(())
    })
}
