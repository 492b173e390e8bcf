fn main() {
    let root = std::env::args().nth(1).unwrap();
    let mut c = muxftp_server::Config::embedded(root.into(), muxftp_server::PortRange::new(20000, 21000).unwrap());
    c.listen[0].address.set_port(2021);
    let mut s = muxftp_server::Server::start(&c).unwrap();
    s.watch_signals().unwrap();
    s.run().unwrap();
}
